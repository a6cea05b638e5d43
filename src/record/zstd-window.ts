/** RFC 9659: what is sent with Content-Encoding zstd has windows of at most 8 MiB. A few bytes can ask for 128, and each upload for its own. */
export const zstdWindowLog = 23
