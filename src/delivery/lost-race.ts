/** Another worker or a person took this step first; everything known here is old, and is read anew. */
export class LostRace extends Error {
  override readonly name = 'LostRace'
}
