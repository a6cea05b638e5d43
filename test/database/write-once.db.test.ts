import { writeOnceContract } from './write-once.ts'

writeOnceContract('the PostgreSQL of this system')
