/** A Unix socket's address holds 107 bytes of path and a NUL (103 on macOS); a longer one is cut off silently by some systems. */
export function assertSocketPath(path: string): void {
  const maxBytes = process.platform === 'darwin' ? 103 : 107
  const length = Buffer.byteLength(path)
  if (length > maxBytes)
    throw new Error(`the socket path has ${length} bytes and may have ${maxBytes}: ${path}; choose a shorter folder`)
}
