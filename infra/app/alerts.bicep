// Alerts on the app's log lines: the platform's metric QueueMessageCount is hourly and has no dimension for the queue.
import { AlertThresholds, Tags } from 'types.bicep'

param prefix string
param location string
param tags Tags
param applicationInsightsId string
param email string

param overrides AlertThresholds

// An alert fires when its threshold is exceeded: ages in seconds, counts in lines within 15 minutes.
var thresholds = union(
  {
    poisonDepth: 0
    poisonAgeSeconds: 3600
    requestAgeSeconds: 900
    failedResults: 10
    exhaustedResults: 0
    refusedCalls: 0
    failedSweeps: 0
    overdueSweeps: 0
  },
  overrides
)

// Minimum: every sample in the window must be above the threshold. A single sample proves little: a message that was
// delayed on purpose is already old when it becomes visible, and messages that are being processed are counted too.
var rules = [
  {
    name: 'poison-depth'
    description: 'There are messages on a poison queue.'
    severity: 2
    query: loadTextContent('../queries/poison-queues.kql')
    aggregation: 'Minimum'
    column: 'depth'
    dimension: 'queue'
    threshold: thresholds.poisonDepth
  }
  {
    name: 'poison-age'
    description: 'A message has been on a poison queue for too long: its function fails or does not run.'
    severity: 1
    query: loadTextContent('../queries/poison-queues.kql')
    aggregation: 'Minimum'
    column: 'age'
    dimension: 'queue'
    threshold: thresholds.poisonAgeSeconds
  }
  {
    name: 'request-age'
    description: 'The oldest waiting message is too old: the app does not keep up, or does not run.'
    severity: 2
    query: loadTextContent('../queries/input-queues.kql')
    aggregation: 'Minimum'
    column: 'age'
    dimension: 'queue'
    threshold: thresholds.requestAgeSeconds
  }
  {
    name: 'failed-results'
    description: 'Deletions failed permanently.'
    severity: 3
    query: loadTextContent('../queries/failed-results.kql')
    aggregation: 'Maximum'
    column: 'results'
    dimension: 'outcome'
    threshold: thresholds.failedResults
  }
  {
    name: 'exhausted-results'
    description: 'Deletions were given up after the last attempt.'
    severity: 2
    query: loadTextContent('../queries/exhausted-results.kql')
    aggregation: 'Maximum'
    column: 'results'
    dimension: 'outcome'
    threshold: thresholds.exhaustedResults
  }
  {
    name: 'batch-access-refused'
    description: 'Batch refuses the app itself: a role assignment, an account or a token scope is wrong.'
    severity: 1
    query: loadTextContent('../queries/batch-access-refused.kql')
    aggregation: 'Maximum'
    column: 'refusals'
    dimension: 'account'
    threshold: thresholds.refusedCalls
  }
  {
    name: 'failed-sweeps'
    description: 'A sweep by the retention policies failed.'
    severity: 2
    query: loadTextContent('../queries/failed-sweeps.kql')
    aggregation: 'Maximum'
    column: 'sweeps'
    dimension: 'account'
    threshold: thresholds.failedSweeps
  }
  {
    name: 'overdue-sweeps'
    description: 'No sweep of an account has ended for three intervals and a day.'
    severity: 2
    query: loadTextContent('../queries/overdue-sweeps.kql')
    aggregation: 'Maximum'
    column: 'looks'
    dimension: 'account'
    threshold: thresholds.overdueSweeps
  }
]

resource actions 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: '${prefix}-mail'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'task-delete'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in rules: {
    name: '${prefix}-${rule.name}'
    location: location
    tags: tags
    properties: {
      displayName: rule.name
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [
        applicationInsightsId
      ]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: rule.aggregation
            metricMeasureColumn: rule.column
            dimensions: [
              {
                name: rule.dimension
                operator: 'Include'
                values: [
                  '*'
                ]
              }
            ]
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      // The component is new: until its tables exist, Azure would refuse a rule that queries them.
      skipQueryValidation: true
      actions: {
        actionGroups: !empty(email)
          ? [
              actions.id
            ]
          : []
      }
    }
  }
]

// None of the alerts above fires for an app that logs nothing; this one does. It may fire between `azd provision` and the
// first deployment, and resolves itself once the first lines arrive.
resource silent 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = {
  name: '${prefix}-silent'
  location: location
  tags: tags
  properties: {
    displayName: 'silent'
    description: 'The app reports no queue depth: it does not start, a timer has stopped (GET /api/health names it; restart the app), or its telemetry is broken. Fires once before the first deployment.'
    severity: 1
    enabled: true
    scopes: [
      applicationInsightsId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT30M'
    criteria: {
      allOf: [
        {
          query: loadTextContent('../queries/queue-depths.kql')
          timeAggregation: 'Count'
          operator: 'LessThan'
          threshold: 1
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    skipQueryValidation: true
    actions: {
      actionGroups: !empty(email)
        ? [
            actions.id
          ]
        : []
    }
  }
}

output actionGroupIds string[] = !empty(email) ? [actions.id] : []
