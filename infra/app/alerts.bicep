// Log alerts, for what Prepwatch can't tell when it is itself the trouble.

import { longestWait } from 'schedule.bicep'

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

@description('POLL_SCHEDULE: NCRONTAB expression of six fields.')
param pollSchedule string

// The lines of the log that are named here are written by the app where the thing becomes true; tests hold both, and
// feed the lines of each trouble to each rule. Neither they nor requests are sampled (host.json), so counting is exact.
// A table comes into being with its first row. Until then a query for it fails, and Azure switches a rule that fails
// for a week off for good: beside an empty table of the same columns it finds nothing instead.
var lines = 'union isfuzzy=true AppTraces, (datatable(TimeGenerated: datetime, Message: string)[])'
var runs = 'union isfuzzy=true AppRequests, (datatable(TimeGenerated: datetime, Name: string, Success: bool)[])'

// Three polls, at least half an hour, rounded up to what a rule can look back. For what polls more rarely the rules are
// switched off, not left out: those of an earlier deployment would stay, with its window, and fire between two polls.
var wait = longestWait(pollSchedule)
var windows = [
  { minutes: 30, name: 'PT30M' }
  { minutes: 45, name: 'PT45M' }
  { minutes: 60, name: 'PT1H' }
  { minutes: 120, name: 'PT2H' }
  { minutes: 180, name: 'PT3H' }
  { minutes: 240, name: 'PT4H' }
  { minutes: 300, name: 'PT5H' }
  { minutes: 360, name: 'PT6H' }
  { minutes: 1440, name: 'P1D' }
  { minutes: 2880, name: 'P2D' }
]
var fitting = filter(windows, one => wait > 0 && one.minutes >= 3 * wait)
var window = first(fitting) ?? last(windows)
// Two polls of the three, and half of them: an account that was not looked at for so long was taken away and is not
// blind, nor is one on which the role has only just been assigned.
var twoPolls = window.minutes * 2 / 3
var half = window.minutes / 2

// What mends itself says when it has. What somebody has to look at says it once, and again after a while.
var followed = [
  {
    name: 'prepwatch-has-not-run'
    title: 'Prepwatch has not polled'
    severity: 1
    query: '${lines} | where Message startswith "cycle {"'
    operator: 'LessThan'
    threshold: 1
    dimension: ''
  }
  {
    name: 'prepwatch-is-blind'
    title: 'Prepwatch can not read a Batch account'
    severity: 1
    query: '${lines} | where Message startswith "cycle {" | extend said = parse_json(substring(Message, 6)) | summarize readUpTo = max(todatetime(said.readUpTo)), since = min(TimeGenerated), until = max(TimeGenerated) by account = tostring(said.account) | where until > ago(${twoPolls}m) and (readUpTo < ago(${window.minutes}m) or (isnull(readUpTo) and since < ago(${half}m)))'
    operator: 'GreaterThan'
    threshold: 0
    dimension: 'account'
  }
  {
    name: 'prepwatch-is-not-heard'
    title: 'A webhook takes nothing of Prepwatch'
    severity: 1
    query: '${lines} | where Message startswith "attempt {" or Message startswith "digest {" or Message startswith "ping {" or Message startswith "webhook-waits {" or Message startswith "webhook-unreadable {" | extend said = parse_json(substring(Message, indexof(Message, "{"))) | summarize times = count(), taken = countif(said.verdict == "delivered") by webhook = tostring(said.webhook) | where taken == 0 and times > 1'
    operator: 'GreaterThan'
    threshold: 0
    dimension: 'webhook'
  }
  {
    name: 'prepwatch-function-fails'
    title: 'A function of Prepwatch fails and never succeeds'
    severity: 2
    query: '${runs} | where Name in ("poll", "poll_account", "deliver") | summarize failed = countif(Success == false), well = countif(Success == true) by Name | where failed > 0 and well == 0'
    operator: 'GreaterThan'
    threshold: 0
    dimension: 'Name'
  }
]
var noted = [
  {
    name: 'prepwatch-gave-up'
    title: 'Prepwatch has given up telling a webhook something'
    severity: 2
    query: '${lines} | where Message startswith "delivery-dead {" or Message startswith "webhook-disabled {" or Message startswith "digest {" | extend said = parse_json(substring(Message, indexof(Message, "{"))) | where Message startswith "delivery-dead {" or (Message startswith "webhook-disabled {" and said.byRequest == false) or said.verdict == "dead" | extend webhook = tostring(said.webhook)'
    dimension: 'webhook'
    window: 'PT30M'
    every: 'PT15M'
    quiet: 'PT6H'
  }
  {
    name: 'prepwatch-purge-fails'
    title: 'Prepwatch can not drop what is old'
    severity: 3
    query: '${runs} | where Name == "purge" | summarize failed = countif(Success == false), well = countif(Success == true) | where failed > 0 and well == 0'
    dimension: ''
    window: 'P1D'
    every: 'PT1H'
    quiet: 'P1D'
  }
  {
    name: 'prepwatch-nudge-is-poison'
    title: 'A message of Prepwatch went to the poison queue'
    severity: 3
    query: '${lines} | where Message contains "has reached MaxDequeueCount"'
    dimension: ''
    window: 'PT30M'
    every: 'PT15M'
    quiet: 'PT6H'
  }
  {
    name: 'prepwatch-has-a-defect'
    title: 'Prepwatch has met a defect of its own'
    severity: 3
    query: '${lines} | where Message startswith "job-defect {" or Message startswith "delivery-defect {" or Message startswith "nudge-defect {"'
    dimension: ''
    window: 'PT30M'
    every: 'PT15M'
    quiet: 'P1D'
  }
]
var rules = concat(
  map(
    followed,
    rule =>
      union(rule, {
        enabled: !empty(fitting)
        window: window.name
        every: window.minutes > 360 ? 'PT1H' : 'PT15M'
        quiet: ''
      })
  ),
  map(noted, rule => union(rule, { enabled: true, operator: 'GreaterThan', threshold: 0 }))
)

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
      enabled: rule.enabled
      scopes: [
        workspaceId
      ]
      evaluationFrequency: rule.every
      windowSize: rule.window
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            dimensions: empty(rule.dimension)
              ? []
              : [
                  {
                    name: rule.dimension
                    operator: 'Include'
                    values: [
                      '*'
                    ]
                  }
                ]
            operator: rule.operator
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: empty(rule.quiet)
      muteActionsDuration: empty(rule.quiet) ? null : rule.quiet
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
