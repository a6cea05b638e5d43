# Proofline: compiled JavaScript on Node, as a user without rights. The database comes by DATABASE_URL; without it the embedded one runs
# below /var/lib/proofline, which is to be a volume either way: it holds the keys, the guard and the artifacts.
ARG NODE_IMAGE=node:26-bookworm-slim
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN node_modules/.bin/tsc -p tsconfig.build.json
RUN npm prune --omit=dev --ignore-scripts

FROM ${NODE_IMAGE}
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
# Given by whoever builds (docs/release.md); an image without them does not say what it was made of.
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG NODE_IMAGE
LABEL org.opencontainers.image.title="Proofline" \
      org.opencontainers.image.description="The write-once compliance sink for code coverage" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${NODE_IMAGE}"
ENTRYPOINT ["node", "/app/bin/proofline.js"]
CMD ["serve"]
