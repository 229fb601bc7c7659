// The shapes of the parameters: a value of another shape is refused before anything is created.

@export()
type Tags = {
  *: string
}

@export()
@description('Who gets a role. Azure refuses the assignment if the type is wrong.')
type Principal = {
  @minLength(36)
  @maxLength(36)
  @description('Object id, not application id.')
  id: string
  type: 'User' | 'Group' | 'ServicePrincipal'
}

@export()
@description('App settings by name; all values are text, including numbers.')
type Settings = {
  *: string
}

@export()
@description('One policy by which the app finds finished work itself; docs/retention.md has the fields, and the app checks them.')
type RetentionPolicy = {
  @maxLength(32)
  name: string
  // Some fields are a text or a list, or a text or an object; Bicep has no type for either.
  #disable-next-line no-explicit-any
  *: any
}

@export()
@description('Always-ready instances: of all HTTP functions together, or of one other function.')
type AlwaysReady = {
  name:
    | 'http'
    | 'function:clean_up_job'
    | 'function:delete_tasks'
    | 'function:end_poisoned_clean_ups'
    | 'function:end_poisoned_requests'
    | 'function:keep_house'
    | 'function:report_queue_depths'
    | 'function:sweep_accounts'
  @minValue(1)
  @maxValue(20)
  instanceCount: int
}

@export()
@description('Thresholds above which alerts fire: ages in seconds, counts in lines within 15 minutes.')
@sealed()
type AlertThresholds = {
  poisonDepth: int?
  poisonAgeSeconds: int?
  requestAgeSeconds: int?
  failedResults: int?
  exhaustedResults: int?
  refusedCalls: int?
  failedSweeps: int?
  overdueSweeps: int?
}
