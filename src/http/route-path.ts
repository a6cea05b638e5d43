/** Whether a concrete path is one of this route (`/v1/runs/{run}`, at its end also `{tile*}`): tells a wrong method from a wrong path. */
export function isPathOf(route: string, path: string): boolean {
  const [wanted, given] = [route.split('/'), path.split('/')]
  const isOpen = route.endsWith('*}')
  if (isOpen ? given.length < wanted.length : given.length !== wanted.length) return false
  return wanted.every((segment, i) => (segment.startsWith('{') ? given[i] !== '' : segment === given[i]))
}
