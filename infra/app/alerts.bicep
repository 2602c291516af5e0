// Three log alerts, for what Prepwatch can't tell when it is itself the trouble.

@description('Region.')
param location string

@description('Tags of the resources.')
param tags object

@description('Resource id of the Log Analytics workspace.')
param workspaceId string

@description('Mail address to write to; empty for none.')
param alertEmail string

@description('Resource id of an action group to notify; empty for none.')
param actionGroupId string

// Requests and log lines are never sampled (host.json), so counting them is exact.
var rules = [
  {
    name: 'prepwatch-stale'
    title: 'Prepwatch has polled nothing well for 15 minutes'
    severity: 1
    query: 'AppRequests | where Name in ("poll", "poll_account") and Success == true'
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'prepwatch-dead-deliveries'
    title: 'A webhook delivery of Prepwatch has died'
    severity: 2
    query: 'AppTraces | where Message startswith "delivery-dead {"'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'prepwatch-function-failures'
    title: 'Functions of Prepwatch fail again and again'
    severity: 2
    query: 'AppRequests | where Name in ("poll", "poll_account", "deliver", "purge") and Success == false'
    operator: 'GreaterThan'
    threshold: 5
  }
]

resource mail 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'ag-prepwatch'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'prepwatch'
    enabled: true
    emailReceivers: [
      {
        name: 'mail'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: rule.name
    location: location
    tags: tags
    properties: {
      displayName: rule.title
      severity: rule.severity
      enabled: true
      scopes: [
        workspaceId
      ]
      evaluationFrequency: 'PT15M'
      windowSize: 'PT15M'
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: rule.operator
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      // On the day of the first deployment the tables of the query do not exist yet.
      skipQueryValidation: true
      actions: {
        actionGroups: union(
          empty(alertEmail) ? [] : [resourceId('Microsoft.Insights/actionGroups', 'ag-prepwatch')],
          empty(actionGroupId) ? [] : [actionGroupId]
        )
      }
    }
    dependsOn: [
      mail
    ]
  }
]
