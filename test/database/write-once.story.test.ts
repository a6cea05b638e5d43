import { writeOnceContract } from './write-once.ts'

writeOnceContract('the embedded PostgreSQL')
