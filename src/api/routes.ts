import { archiveRoutes } from './archive.ts'
import { consumerRoutes } from './consumers.ts'
import { contractRoutes } from './contracts.ts'
import { dayRoutes } from './days.ts'
import { deploymentRoutes } from './deployments.ts'
import { dispositionRoutes } from './dispositions.ts'
import { differenceRoutes } from './difference.ts'
import { drillRoutes } from './drills.ts'
import { evidenceRoutes } from './evidence.ts'
import { gapRoutes } from './gaps.ts'
import { gateRoutes } from './gates.ts'
import { keyRoutes } from './keys.ts'
import { loginRoutes } from './login.ts'
import { historyRoutes } from './history.ts'
import { lineageRoutes } from './lineage.ts'
import { operationRoutes } from './operations.ts'
import { orderRoutes } from './orders.ts'
import { recordRoutes } from './records.ts'
import { reportRoutes } from './reports.ts'
import type { Route } from './route.ts'
import { runRoutes } from './run-routes.ts'
import { watchRoutes } from './watch.ts'

/** Every public route. What is not in here is not in openapi.yaml and not in the access matrix; a test compares it with what is mounted. */
export const routes: readonly Route[] = [
  ...runRoutes,
  ...contractRoutes,
  ...gateRoutes,
  ...deploymentRoutes,
  ...dispositionRoutes,
  ...recordRoutes,
  ...evidenceRoutes,
  ...dayRoutes,
  ...historyRoutes,
  ...lineageRoutes,
  ...reportRoutes,
  ...gapRoutes,
  ...differenceRoutes,
  ...archiveRoutes,
  ...operationRoutes,
  ...consumerRoutes,
  ...watchRoutes,
  ...orderRoutes,
  ...drillRoutes,
  ...keyRoutes,
  ...loginRoutes,
]
