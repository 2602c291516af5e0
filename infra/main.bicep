// Prepwatch in a resource group of its own, and the right to read each Batch account that it watches.
// Every resource is declared here, none comes from a module registry. An app setting whose parameter is left
// empty takes the app's own default, so that defaults live in one place: the app.
targetScope = 'subscription'

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
@description('https address that receives every event, signed; empty for none. It may hold a token, so it is kept in Key Vault.')
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

@description('BATCH_TOKEN_SCOPE: scope of Batch tokens; only sovereign clouds need another.')
param batchTokenScope string = ''

@description('TRACKED_JOBS: comma-separated job ids and globs, !glob excludes.')
param trackedJobs string = ''

@minLength(9)
@description('POLL_SCHEDULE: NCRONTAB expression of six fields, the first one seconds. Functions itself reads it, so it is always set.')
param pollSchedule string = '0 * * * * *'

@description('POLL_BUDGET_SECONDS: seconds into a cycle after which no further job is begun.')
param pollBudgetSeconds string = ''

@description('POLL_CONCURRENCY: how many jobs are listed at once.')
param pollConcurrency string = ''

@description('FIRST_SIGHT_SECONDS: how old, in seconds, a failure may be at the first sight of its job and still be announced.')
param firstSightSeconds string = ''

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

@description('STDERR_TAIL_BYTES: how many bytes of the end of a failed task\'s stderr.txt go into its event; 0 for none.')
param stderrTailBytes string = ''

@secure()
@description('HEARTBEAT_URL: address called after every good cycle. Kept in Key Vault, as whoever has it can fake the heartbeat.')
param heartbeatUrl string = ''

@description('PUBLIC_URL: address of the app in messages, when it is not that of the function app.')
param publicUrl string = ''

@allowed([
  512
  2048
  4096
])
@description('Memory of an instance in MB.')
param instanceMemoryMB int = 512

@minValue(40)
@maxValue(1000)
@description('Most instances of the app; 40 is the least that Flex Consumption takes.')
param maximumInstanceCount int = 40

@description('Assigns the app its roles. false for those who may not assign: the roles are then in docs/deploy.md, for somebody who may.')
param assignRoles bool = true

@description('Puts the app into a virtual network, and storage and Key Vault behind private endpoints.')
param vnetEnabled bool = false

@description('Creates an Event Grid topic that receives every event, through a webhook named event-grid.')
param eventGridTopic bool = false

@description('Application (client) id of an app registration: people then sign in through Entra ID, and function keys are no longer taken. Empty: function keys.')
param signInClientId string = ''

@description('Tenant whose people sign in; the tenant of the deployment when empty.')
param signInTenantId string = ''

@description('Mail address that alert rules write to; empty for none.')
param alertEmail string = ''

@description('Resource id of an action group of yours that alert rules notify; empty for none.')
param actionGroupId string = ''

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var appName = 'func-prepwatch-${token}'
var batchAccounts = empty(batchAccountIds) ? [] : split(batchAccountIds, ',')

// Azure stores settings as text, the app takes an empty one for a missing one.
var settings = {
  BATCH_ACCOUNT_NAME: batchAccountName
  BATCH_API_VERSION: batchApiVersion
  BATCH_TOKEN_SCOPE: batchTokenScope
  TRACKED_JOBS: trackedJobs
  POLL_SCHEDULE: pollSchedule
  POLL_BUDGET_SECONDS: pollBudgetSeconds
  POLL_CONCURRENCY: pollConcurrency
  FIRST_SIGHT_SECONDS: firstSightSeconds
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
  empty(webhookUrl) ? {} : { WEBHOOK_SECRET: startsWith(webhookSecret, 'whsec_') ? webhookSecret : 'whsec_${webhookSecret}' },
  webhookSecrets
)

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-${environmentName}'
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
    publicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'
  }
}

module vault 'app/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    publicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'
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

module roles 'app/roles.bicep' = if (assignRoles) {
  name: 'roles'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    componentName: monitoring.outputs.componentName
  }
}

module batch 'app/batch-account.bicep' = [
  for (id, i) in batchAccounts: {
    name: 'batch-account-${i}-${token}'
    scope: resourceGroup(split(trim(id), '/')[2], split(trim(id), '/')[4])
    params: {
      name: split(trim(id), '/')[8]
      principalId: identity.outputs.principalId
      assignRole: assignRoles
    }
  }
]

module network 'app/network.bicep' = if (vnetEnabled) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-prepwatch-${token}'
    location: location
    tags: tags
  }
}

module privateEndpoints 'app/private-endpoints.bicep' = if (vnetEnabled) {
  name: 'private-endpoints'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: vnetEnabled ? network!.outputs.id : ''
    subnetId: vnetEnabled ? network!.outputs.endpointsSubnetId : ''
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
  }
}

module topic 'app/event-grid.bicep' = if (eventGridTopic) {
  name: 'event-grid'
  scope: group
  params: {
    name: 'evgt-prepwatch-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    assignRole: assignRoles
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
    subnetId: vnetEnabled ? network!.outputs.appSubnetId : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    signInClientId: signInClientId
    signInTenantId: empty(signInTenantId) ? tenant().tenantId : signInTenantId
    settings: settings
    batchAccountUrls: batchAccountUrls
    watchedUrls: [for i in range(0, length(batchAccounts)): batch[i].outputs.url]
    webhooks: webhooks
    topicEndpoint: eventGridTopic ? topic!.outputs.endpoint : ''
  }
  // A Key Vault reference that can't be read at the start of the app stays unresolved for up to a day.
  dependsOn: [
    roles
    privateEndpoints
  ]
}

module alerts 'app/alerts.bicep' = if (!empty(alertEmail) || !empty(actionGroupId)) {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    alertEmail: alertEmail
    actionGroupId: actionGroupId
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
output SIGN_IN bool = !empty(signInClientId)
