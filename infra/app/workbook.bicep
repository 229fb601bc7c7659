// Charts of the log lines that the alerts use: a workbook for the Application Insights that stores them. It is free.
import { Tags } from 'types.bicep'

param name string
param displayName string
param location string
param tags Tags
param applicationInsightsId string

// Two charts per row, in the order of an operator's questions: does it work, does it keep up, what slows it down, what is
// left to do. The schema of an item:
// https://github.com/microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json
var panels = [
  {
    name: 'outcomes'
    title: 'Results by outcome, without dry runs'
    query: loadTextContent('../workbook/outcomes.kql')
    visualization: 'barchart'
    width: '50'
  }
  {
    name: 'latencies'
    title: 'Seconds from acceptance to the end of a deletion, delays that were asked for included'
    query: loadTextContent('../workbook/latencies.kql')
    visualization: 'linechart'
    width: '50'
  }
  {
    name: 'queue-depths'
    title: 'Most messages on each queue'
    query: loadTextContent('../workbook/queue-depths.kql')
    visualization: 'linechart'
    width: '50'
  }
  {
    name: 'queue-ages'
    title: 'Age of the oldest waiting message, in seconds'
    query: loadTextContent('../workbook/queue-ages.kql')
    visualization: 'linechart'
    width: '50'
  }
  {
    name: 'retries'
    title: 'Attempts that failed and were put back, by code'
    query: loadTextContent('../workbook/retries.kql')
    visualization: 'barchart'
    width: '50'
  }
  {
    name: 'refused-rates'
    title: 'Calls a second that a process holds to after refusals, the lowest of each account'
    query: loadTextContent('../workbook/refused-rates.kql')
    visualization: 'linechart'
    width: '50'
  }
  {
    name: 'limits-in-force'
    title: 'The limit that each process told last'
    query: loadTextContent('../workbook/limits-in-force.kql')
    visualization: 'table'
    width: '50'
  }
  {
    name: 'dead-letters'
    title: 'Results that left a dead letter, by reason'
    query: loadTextContent('../workbook/dead-letters.kql')
    visualization: 'table'
    width: '50'
  }
  {
    name: 'sweeps'
    title: 'Sweeps'
    query: loadTextContent('../workbook/sweeps.kql')
    visualization: 'table'
    width: '100'
  }
  {
    name: 'overdue-sweeps'
    title: 'Accounts whose sweep is overdue'
    query: loadTextContent('../workbook/overdue-sweeps.kql')
    visualization: 'table'
    width: '100'
  }
]

var timeRange = {
  type: 9
  name: 'parameters'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'pills'
    queryType: 0
    resourceType: 'microsoft.insights/components'
    parameters: [
      {
        id: '6f0c1d1e-5a0b-4c0e-9d53-1d6c3c9d3a41'
        version: 'KqlParameterItem/1.0'
        name: 'TimeRange'
        label: 'Time range'
        type: 4
        isRequired: true
        value: {
          durationMs: 86400000
        }
        typeSettings: {
          // An hour, 4 hours, a day, 3 days, a week, 30 days: logs are kept for at least 30 days.
          selectableValues: [
            {
              durationMs: 3600000
            }
            {
              durationMs: 14400000
            }
            {
              durationMs: 86400000
            }
            {
              durationMs: 259200000
            }
            {
              durationMs: 604800000
            }
            {
              durationMs: 2592000000
            }
          ]
          allowCustom: true
        }
      }
    ]
  }
}

var items = [
  for panel in panels: {
    type: 3
    name: panel.name
    customWidth: panel.width
    content: {
      version: 'KqlItem/1.0'
      query: panel.query
      size: 0
      title: panel.title
      noDataMessage: 'Nothing in this time range.'
      timeContextFromParameter: 'TimeRange'
      queryType: 0
      resourceType: 'microsoft.insights/components'
      visualization: panel.visualization
    }
  }
]

// The id is inserted last: everything else is known before a deployment, so the snapshots can show it.
var idPlace = '<applicationInsightsId>'
var workbook = {
  version: 'Notebook/1.0'
  items: concat([timeRange], items)
  fallbackResourceIds: [idPlace]
  '$schema': 'https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json'
}

resource operations 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: displayName
    category: 'workbook'
    sourceId: applicationInsightsId
    version: 'Notebook/1.0'
    serializedData: replace(string(workbook), idPlace, applicationInsightsId)
  }
}
