# Proofline: compiled JavaScript on Node, as a user without rights. The database comes by DATABASE_URL; without it the embedded one runs
# below /var/lib/proofline, which is to be a volume either way: it holds the keys, the guard and the artifacts.
FROM node:26-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN node_modules/.bin/tsc -p tsconfig.build.json
RUN npm prune --omit=dev --ignore-scripts

FROM node:26-bookworm-slim
RUN useradd --system --uid 7357 --home-dir /var/lib/proofline --create-home --shell /usr/sbin/nologin proofline
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY bin bin
COPY migrations migrations
COPY package.json openapi.yaml LICENSE README.md ./
ENV NODE_ENV=production PROOFLINE_HOST=0.0.0.0 PROOFLINE_DATA_DIR=/var/lib/proofline
USER proofline
VOLUME /var/lib/proofline
EXPOSE 7357
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:7357/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/proofline.js"]
CMD ["serve"]
