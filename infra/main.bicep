// Prepwatch in a resource group of its own, and the right to read each Batch account that it watches.
// Every resource is declared here, none comes from a module registry. An app setting whose parameter is left
// empty takes the app's own default, so that defaults live in one place: the app. Switches and numbers are text here,
// because azd leaves a bool or int that it can't read out, and the default would hold in silence.
targetScope = 'subscription'

import { batchAccounts, given, isOn, mistakes, part } from 'app/variables.bicep'

@minLength(1)
@maxLength(64)
@description('Name of the azd environment; names the resource group and makes the other names unique.')
param environmentName string

@minLength(1)
@metadata({
  azd: {
    type: 'location'
  }
})
@description('Region of everything that is created. It must offer Flex Consumption: az functionapp list-flexconsumption-locations.')
param location string

@description('Resource ids of the watched Batch accounts, comma-separated: /subscriptions/.../resourceGroups/.../providers/Microsoft.Batch/batchAccounts/NAME. They may be in other resource groups and subscriptions. Leave it empty only when batchAccountUrls is given.')
param batchAccountIds string

@secure()
@description('https address of a program that receives every event, signed; empty for none. Teams, Slack and PagerDuty go into WEBHOOKS instead. It may hold a token, so it is kept in Key Vault.')
param webhookUrl string

@secure()
@metadata({
  azd: {
    type: 'generate'
    config: {
      length: 44
      noSpecial: true
    }
  }
})
@description('Secret that signs what webhookUrl receives: whsec_ and base64 of 24 to 64 bytes. azd makes one when none is given.')
param webhookSecret string

@description('BATCH_ACCOUNT_URLS: comma-separated https addresses of the accounts, instead of those of batchAccountIds: for accounts that the deployer may not read.')
param batchAccountUrls string = ''

@secure()
@description('BATCH_ACCOUNT_KEY: shared key, with one account only. Empty, and recommended: the app identity signs in through Entra ID. Kept in Key Vault.')
param batchAccountKey string = ''

@description('BATCH_ACCOUNT_NAME: name that the shared key belongs to, when it is not the first label of the account host.')
param batchAccountName string = ''

@description('BATCH_API_VERSION: api-version of the Batch REST API.')
param batchApiVersion string = ''

@description('BATCH_TOKEN_SCOPE: scope of Batch tokens, when it is not that of the cloud.')
param batchTokenScope string = ''

@description('TRACKED_JOBS: comma-separated job ids and globs, !glob excludes.')
param trackedJobs string = ''

@description('TRACKED_POOLS: comma-separated pool ids and globs, !glob excludes. Empty: the pools that watched active jobs use.')
param trackedPools string = ''

@description('POLL_SCHEDULE: NCRONTAB expression of six fields, the first one seconds. Functions itself reads it, so it is always set.')
param pollSchedule string = ''

@description('POLL_BUDGET_SECONDS: seconds into a cycle after which no further job is begun.')
param pollBudgetSeconds string = ''

@description('POLL_CONCURRENCY: how many jobs are listed at once.')
param pollConcurrency string = ''

@description('FIRST_SIGHT_SECONDS: how old, in seconds, a failure may be at the first sight of its job and still be announced.')
param firstSightSeconds string = ''

@description('SLOW_PREPARATION_SECONDS: how long, in seconds, a preparation may take before it is told as slow; 0 never tells. Empty: decided by the past of each job.')
param slowPreparationSeconds string = ''

@description('STALE_AFTER_SECONDS: age in seconds of the last good cycle from which the answers count as stale.')
param staleAfterSeconds string = ''

@secure()
@description('STATE_STORAGE: connection string of another storage account for the state table. Empty: the storage account created here, by identity. Kept in Key Vault.')
param stateStorage string = ''

@description('STATE_STORAGE__tableServiceUri: table endpoint of another storage account, by identity; give the app identity Storage Table Data Contributor there.')
param stateTableServiceUri string = ''

@description('STATE_TABLE: name of the state table.')
param stateTable string = ''

@description('RETENTION_DAYS: days that events are kept.')
param retentionDays string = ''

@description('WEBHOOKS: the webhooks beside webhookUrl, as a JSON array. Secrets do not belong into it: name them with urlSetting, secretSettings and keySetting, and give their values in webhookSecrets.')
param webhooks array = []

@secure()
@description('One secret per app setting that webhooks name: {"OPS_URL": "https://...", "OPS_SECRET": "whsec_..."}. Each becomes a Key Vault secret and an app setting that refers to it.')
param webhookSecrets object = {}

@description('WEBHOOK_ALLOWED_CIDRS: comma-separated private ranges in which webhooks may be.')
param webhookAllowedCidrs string = ''

@description('WEBHOOK_ALLOW_HTTP: true allows http webhooks; for local use.')
param webhookAllowHttp string = ''

@description('EVENT_MAX_NODES: most nodes in an event.')
param eventMaxNodes string = ''

@description('STDERR_TAIL_BYTES: how many bytes of the end of a failed task\'s stderr.txt, and of its stdout.txt, go into its event; 0 for none.')
param stderrTailBytes string = ''

@secure()
@description('HEARTBEAT_URL: address called after every good cycle. Kept in Key Vault, as whoever has it can fake the heartbeat.')
param heartbeatUrl string = ''

@description('PUBLIC_URL: address of the app in messages, when it is not that of the function app.')
param publicUrl string = ''

@description('INSTANCE_MEMORY_MB: memory of an instance, 512 (when empty), 2048 or 4096.')
param instanceMemoryMB string = ''

@description('MAXIMUM_INSTANCE_COUNT: most instances of each group of functions, 1 to 1000; 40 when empty. Some regions refuse less than 40.')
param maximumInstanceCount string = ''

@description('ASSIGN_ROLES: true (when empty) assigns the app its roles. false for those who may not assign: the roles are then in docs/deploy.md, for somebody who may.')
param assignRoles string = ''

@description('VNET_ENABLED: true puts the app into a virtual network, and storage and Key Vault behind private endpoints. false when empty.')
param vnetEnabled string = ''

@description('VNET_ADDRESS_PREFIX: addresses of that network, 10.0.0.0/16 when empty. They must not overlap those of networks that it is peered with.')
param vnetAddressPrefix string = ''

@description('EVENT_GRID_TOPIC: true creates an Event Grid topic that receives every event, through a webhook named event-grid. false when empty.')
param eventGridTopic string = ''

@description('SIGN_IN_CLIENT_ID: application (client) id of an app registration: people then sign in through Entra ID, and function keys are no longer taken. Empty: function keys.')
param signInClientId string = ''

@description('SIGN_IN_TENANT_ID: tenant whose people sign in; the tenant of the deployment when empty.')
param signInTenantId string = ''

@description('ALERT_EMAIL: mail address that alert rules write to; empty for none.')
param alertEmail string = ''

@description('ACTION_GROUP_ID: resource id of an action group of yours that alert rules notify; empty for none.')
param actionGroupId string = ''

@description('RESOURCE_TAGS: tags of everything that is created, as a JSON object of texts, such as those that a policy of yours asks for.')
param resourceTags object = {}

var token = toLower(uniqueString(subscription().id, environmentName, location))
// azd finds by its tag what it has made, so that one wins.
var tags = union(resourceTags, { 'azd-env-name': environmentName })
var appName = 'func-prepwatch-${token}'
var accounts = batchAccounts(batchAccountIds)
var assignsRoles = isOn(assignRoles, 'true')
var hasNetwork = isOn(vnetEnabled, 'false')
var hasTopic = isOn(eventGridTopic, 'false')
var wrong = mistakes({
  BATCH_ACCOUNT_IDS: batchAccountIds
  BATCH_ACCOUNT_URLS: batchAccountUrls
  ASSIGN_ROLES: assignRoles
  POLL_SCHEDULE: pollSchedule
  VNET_ENABLED: vnetEnabled
  VNET_ADDRESS_PREFIX: vnetAddressPrefix
  EVENT_GRID_TOPIC: eventGridTopic
  WEBHOOKS: webhooks
  INSTANCE_MEMORY_MB: instanceMemoryMB
  MAXIMUM_INSTANCE_COUNT: maximumInstanceCount
  SIGN_IN_CLIENT_ID: signInClientId
  SIGN_IN_TENANT_ID: signInTenantId
  ALERT_EMAIL: alertEmail
  ACTION_GROUP_ID: actionGroupId
})
// The engine works out every name before it makes anything: a mistake ends the deployment there.
var groupName = empty(wrong) ? 'rg-${environmentName}' : fail(join(wrong, '. '))

var polled = given(pollSchedule, '0 * * * * *')

// Azure stores settings as text, the app takes an empty one for a missing one.
var settings = {
  BATCH_ACCOUNT_IDS: join(accounts, ',')
  BATCH_ACCOUNT_NAME: batchAccountName
  BATCH_API_VERSION: batchApiVersion
  BATCH_TOKEN_SCOPE: given(batchTokenScope, '${environment().batch}/.default')
  TRACKED_JOBS: trackedJobs
  TRACKED_POOLS: trackedPools
  POLL_SCHEDULE: polled
  POLL_BUDGET_SECONDS: pollBudgetSeconds
  POLL_CONCURRENCY: pollConcurrency
  FIRST_SIGHT_SECONDS: firstSightSeconds
  SLOW_PREPARATION_SECONDS: slowPreparationSeconds
  STALE_AFTER_SECONDS: staleAfterSeconds
  STATE_STORAGE__tableServiceUri: stateTableServiceUri
  STATE_TABLE: stateTable
  RETENTION_DAYS: retentionDays
  WEBHOOK_ALLOWED_CIDRS: webhookAllowedCidrs
  WEBHOOK_ALLOW_HTTP: webhookAllowHttp
  EVENT_MAX_NODES: eventMaxNodes
  STDERR_TAIL_BYTES: stderrTailBytes
  PUBLIC_URL: publicUrl
}

// Only what is given: a Key Vault reference to a secret that does not exist would not resolve.
var secrets = union(
  empty(batchAccountKey) ? {} : { BATCH_ACCOUNT_KEY: batchAccountKey },
  empty(stateStorage) ? {} : { STATE_STORAGE: stateStorage },
  empty(heartbeatUrl) ? {} : { HEARTBEAT_URL: heartbeatUrl },
  empty(webhookUrl) ? {} : { WEBHOOK_URL: webhookUrl },
  empty(webhookUrl)
    ? {}
    : { WEBHOOK_SECRET: startsWith(webhookSecret, 'whsec_') ? webhookSecret : 'whsec_${webhookSecret}' },
  webhookSecrets
)

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity 'app/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-prepwatch-${token}'
    location: location
    tags: tags
  }
}

module storage 'app/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    publicNetworkAccess: hasNetwork ? 'Disabled' : 'Enabled'
  }
}

module vault 'app/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    publicNetworkAccess: hasNetwork ? 'Disabled' : 'Enabled'
    secrets: secrets
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-prepwatch-${token}'
    componentName: 'appi-prepwatch-${token}'
    location: location
    tags: tags
  }
}

module roles 'app/roles.bicep' = if (assignsRoles) {
  name: 'roles'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    componentName: monitoring.outputs.componentName
  }
}

// By index: of a loop over items the compiler can make, without a word, what Azure refuses.
module batchRoles 'app/batch-account.bicep' = [
  for i in range(0, assignsRoles ? length(accounts) : 0): {
    name: 'batch-account-${i}-${token}'
    scope: resourceGroup(part(accounts[i], 2), part(accounts[i], 4))
    params: {
      name: part(accounts[i], 8)
      principalId: identity.outputs.principalId
    }
  }
]

// Reading an account's address takes no more than the right to read the account, and none where addresses are given.
resource watched 'Microsoft.Batch/batchAccounts@2024-07-01' existing = [
  for i in range(0, empty(trim(batchAccountUrls)) ? length(accounts) : 0): {
    name: part(accounts[i], 8)
    scope: resourceGroup(part(accounts[i], 2), part(accounts[i], 4))
  }
]

module network 'app/network.bicep' = if (hasNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-prepwatch-${token}'
    addressPrefix: given(vnetAddressPrefix, '10.0.0.0/16')
    location: location
    tags: tags
  }
}

module privateEndpoints 'app/private-endpoints.bicep' = if (hasNetwork) {
  name: 'private-endpoints'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: hasNetwork ? network!.outputs.id : ''
    subnetId: hasNetwork ? network!.outputs.endpointsSubnetId : ''
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
  }
}

module topic 'app/event-grid.bicep' = if (hasTopic) {
  name: 'event-grid'
  scope: group
  params: {
    name: 'evgt-prepwatch-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    assignRole: assignsRoles
  }
}

module app 'app/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: appName
    planName: 'plan-prepwatch-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    componentName: monitoring.outputs.componentName
    vaultUri: vault.outputs.uri
    vaultSettings: objectKeys(secrets)
    subnetId: hasNetwork ? network!.outputs.appSubnetId : ''
    instanceMemoryMB: int(given(instanceMemoryMB, '512'))
    maximumInstanceCount: int(given(maximumInstanceCount, '40'))
    signInClientId: trim(signInClientId)
    signInTenantId: given(signInTenantId, tenant().tenantId)
    settings: settings
    batchAccountUrls: batchAccountUrls
    watchedHosts: [
      for i in range(0, empty(trim(batchAccountUrls)) ? length(accounts) : 0): watched[i].properties.accountEndpoint
    ]
    webhooks: webhooks
    topicEndpoints: hasTopic ? [topic!.outputs.endpoint] : []
  }
  // A Key Vault reference that can't be read at the start of the app stays unresolved for up to a day.
  dependsOn: [
    roles
    privateEndpoints
  ]
}

module alerts 'app/alerts.bicep' = if (!empty(trim(alertEmail)) || !empty(trim(actionGroupId))) {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    pollSchedule: polled
    alertEmail: trim(alertEmail)
    actionGroupId: trim(actionGroupId)
  }
}

@description('Region of the deployment.')
output AZURE_LOCATION string = location

@description('Resource group of the deployment.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output AZURE_FUNCTION_NAME string = appName

@description('Name of the Key Vault.')
output AZURE_KEY_VAULT_NAME string = vault.outputs.name

@description('Object id of the app identity: who is to be given the roles when assignRoles is false.')
output AZURE_IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId

@description('What is failing now, as JSON; needs a function key or a sign-in.')
output SUMMARY_URL string = 'https://${app.outputs.host}/api/summary'

@description('The same as a page; it asks for the function key.')
output DASHBOARD_URL string = 'https://${app.outputs.host}/api/dashboard'

@description('200, or 503 when Prepwatch is stale; needs nothing.')
output HEALTH_URL string = 'https://${app.outputs.host}/api/health'

@description('Whether people sign in through Entra ID instead of with a function key.')
output SIGN_IN bool = !empty(trim(signInClientId))
