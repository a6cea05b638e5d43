import { z } from 'zod'
import { isAddressRange } from './address.ts'

/** Every limit of the public face, in one place. Times in milliseconds, sizes in bytes. */

const ms = (fallback: number) => z.int().min(1).default(fallback)
const bytes = (fallback: number) => z.int().min(1).default(fallback)

const limits = z.strictObject({
  /** A body that is one JSON document. */
  json_bytes: bytes(1_048_576),
  /** One artifact, as sent. What it may expand to is a setting of admission. */
  part_bytes: bytes(2 * 1_073_741_824),
  /** An inventory, as sent and decoded. */
  inventory_bytes: bytes(268_435_456),
  /** Line maps between two commits, as sent and decoded. */
  line_map_bytes: bytes(67_108_864),
  /** Nesting of a JSON document. */
  json_depth: z.int().min(8).default(64),
  /** Request line and headers together. */
  header_bytes: bytes(16_384),
  headers: z.int().min(1).default(100),
  /** Path and query. */
  url_bytes: bytes(8_192),
  connections: z.int().min(1).default(2_000),
  /** Of one address, or of one /64 of IPv6; trusted proxies have as many as there are. */
  connections_per_address: z.int().min(1).default(1_000),
  /** Requests that are sent ahead on one connection. */
  pipelined: z.int().min(1).default(8),
  /** Requests under way at the same time; more are told to come back. */
  requests: z.int().min(1).default(4_000),
  /** Bodies that are taken in at the same time; more are told to come back, before they send. */
  uploads: z.int().min(1).default(32),
  /** Of these, by one identity. */
  uploads_per_identity: z.int().min(1).default(16),
  /** Requests a minute of one credential. */
  requests_per_minute: z.int().min(1).default(30_000),
  /** Requests a minute of one address to what needs no credential, or without any. */
  open_requests_per_minute: z.int().min(1).default(30_000),
  /** Requests a minute with a credential that is none from one address; a guesser is not even looked up any more. */
  refusals_per_minute: z.int().min(1).default(120),
  headers_timeout_ms: ms(15_000),
  /** From first to last byte of a request, so also the longest an upload may take. */
  request_timeout_ms: ms(3_600_000),
  json_timeout_ms: ms(30_000),
  /** Longest silence within a body. */
  body_idle_ms: ms(30_000),
  /** Until the answer to a question or a command begins; uploads have request_timeout_ms. */
  work_ms: ms(900_000),
  /** Longest time in which a reader takes nothing of an answer that waits for it. */
  answer_idle_ms: ms(60_000),
  /** From the begin of an answer to its last byte, so also the longest a download may take. */
  answer_timeout_ms: ms(3_600_000),
  keep_alive_ms: ms(65_000),
  /** How long what is under way may go on when the service stops. */
  shutdown_ms: ms(10_000),
  /** How long a refused upload is read on and thrown away, so that the client gets to read why. */
  linger_ms: ms(5_000),
  /** How often the timeouts of connections are looked at. */
  check_ms: ms(5_000),
})

export const httpSettings = z
  .strictObject({
    host: z.string().min(1).default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(7_357),
    /** What links are made of where a proxy stands in front; otherwise the Host that was asked for. No slash at the end. */
    public_url: z
      .url({ protocol: /^https?$/ })
      .regex(/[^/]$/, 'ends in a slash')
      .optional(),
    /** Addresses, or ranges of them, of the proxies whose X-Forwarded- headers are believed. */
    trusted_proxies: z
      .array(
        z
          .string()
          .refine(
            isAddressRange,
            'is no address and no range like 10.0.0.0/8; 0.0.0.0/0 would let everybody choose their address',
          ),
      )
      .default([]),
    tls: z
      .strictObject({
        certificate_file: z.string().min(1),
        key_file: z.string().min(1),
        /** Who signs the certificates of clients. */
        client_ca_file: z.string().min(1).optional(),
        /** Whether there is a connection without one. */
        client_certificates: z.enum(['required', 'optional']).default('required'),
        /** How often the files are looked at. */
        reload_ms: ms(10_000),
      })
      .refine(
        ({ client_ca_file, client_certificates }) => client_ca_file !== undefined || client_certificates === 'required',
        {
          path: ['client_ca_file'],
          message: 'is missing: client certificates are looked at by the authority that signs them',
        },
      )
      .optional(),
    limits: limits.prefault({}),
  })
  .prefault({})
export type HttpSettings = z.infer<typeof httpSettings>
export type HttpLimits = HttpSettings['limits']
