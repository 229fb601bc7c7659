// The shapes of the parameters: a value of another shape is refused before anything is created.

@export()
type Tags = {
  *: string
}

@export()
@description('Who gets a right. The type has to be right: Azure refuses a wrong one.')
type Principal = {
  @minLength(36)
  @maxLength(36)
  @description('Object id, not application id.')
  id: string
  type: 'User' | 'Group' | 'ServicePrincipal'
}

@export()
@description('App settings by name; values are text, numbers too.')
type Settings = {
  *: string
}

@export()
@description('One policy by which the app finds finished work itself; docs/retention.md has the fields, and the app checks them.')
type RetentionPolicy = {
  @maxLength(32)
  name: string
  // A pattern or a list of them, a text or an object: Bicep has no type for either.
  #disable-next-line no-explicit-any
  *: any
}

@export()
@description('Instances that are always there, of the HTTP functions together or of one other function.')
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
@description('What each alert fires above: seconds for the ages, lines in 15 minutes for the counts.')
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
