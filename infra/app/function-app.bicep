// The plan, the function app, its settings, and who may sign in.

@description('Name of the function app.')
param name string

@description('Name of the plan.')
param planName string

@description('Region.')
param location string

@description('Tags of the resources.')
param tags object

@description('Resource id of the app identity.')
param identityId string

@description('Client id of the app identity.')
param identityClientId string

@description('Name of the storage account.')
param storageName string

@description('Name of the Application Insights component.')
param componentName string

@description('Address of the Key Vault, with a slash at the end.')
param vaultUri string

@description('Names of the app settings whose values are in the Key Vault.')
param vaultSettings array

@description('Resource id of the subnet that the instances run in; empty for none.')
param subnetId string

@description('Memory of an instance in MB.')
param instanceMemoryMB int

@description('Most instances.')
param maximumInstanceCount int

@description('Client id of the app registration that people sign in with; empty: function keys.')
param signInClientId string

@description('Tenant whose people sign in.')
param signInTenantId string

@description('The app settings that are text as they stand.')
param settings object

@description('Comma-separated addresses of Batch accounts; they win over watchedHosts.')
param batchAccountUrls string

@description('Hosts of the Batch accounts that were given by resource id.')
param watchedHosts array

@description('The webhooks, without secrets.')
param webhooks array

@description('Address of the Event Grid topic, if there is one.')
param topicEndpoints array

var computedSettings = {
  BATCH_ACCOUNT_URLS: empty(trim(batchAccountUrls))
    ? join(map(watchedHosts, host => 'https://${host}'), ',')
    : batchAccountUrls
  WEBHOOKS: string(concat(
    webhooks,
    map(topicEndpoints, endpoint => { name: 'event-grid', format: 'eventgrid', url: endpoint })
  ))
}
var platformSettings = {
  AzureWebJobsDisableHomepage: 'true'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  // The app's own clients choose the user-assigned identity by this.
  AZURE_CLIENT_ID: identityClientId
}
// Without a version in its address a reference follows the secret when it is rotated.
var vaultReferences = toObject(
  vaultSettings,
  setting => setting,
  setting => '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${replace(setting, '_', '-')})'
)
// With it the app's functions take the platform's principal instead of a key.
var signInSettings = empty(signInClientId) ? {} : { REQUIRE_SIGN_IN: 'true' }
var appSettings = union(settings, computedSettings, platformSettings, signInSettings, vaultReferences)

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  // checkov:skip=CKV_AZURE_225: zone redundancy needs instances that are always ready, which cost more than the rest together
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  // checkov:skip=CKV_AZURE_212: Flex Consumption has no fixed number of instances to raise
  // checkov:skip=CKV_AZURE_78: Flex Consumption has no FTP, and many regions refuse ftpsState
  // checkov:skip=CKV_AZURE_213: Flex Consumption takes no healthCheckPath; HEALTH_URL is for monitors
  // checkov:skip=CKV_AZURE_222: webhooks' links, the dashboard and health checks come from outside; a key or a sign-in guards what tells anything
  // checkov:skip=CKV_AZURE_17: callers have keys or sign in; client certificates would shut out browsers and monitors
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
      appSettings: map(items(appSettings), setting => { name: setting.key, value: setting.value })
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}app-package'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          http: {
            // For Python it is 1 by default: a page and its data would then each wait for the start of an instance.
            perInstanceConcurrency: 16
          }
        }
      }
    }
  }
}

resource noPublishingPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  // The types know no location here, but some regions have refused the policy without one.
  #disable-next-line BCP187
  location: location
  properties: {
    allow: false
  }
}

resource signIn 'Microsoft.Web/sites/config@2024-04-01' = {
  // checkov:skip=CKV_AZURE_13: it judges the configuration named web, and takes this one for it
  // checkov:skip=CKV_AZURE_63: it judges the configuration named web, and takes this one for it
  // checkov:skip=CKV_AZURE_65: it judges the configuration named web, and takes this one for it
  // checkov:skip=CKV_AZURE_66: it judges the configuration named web, and takes this one for it
  // checkov:skip=CKV_AZURE_80: it judges the configuration named web, and takes this one for it
  // checkov:skip=CKV_AZURE_88: it judges the configuration named web, and takes this one for it
  // checkov:skip=CKV_AZURE_222: it judges the configuration named web, and takes this one for it
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: !empty(signInClientId)
    }
    globalValidation: {
      requireAuthentication: !empty(signInClientId)
      unauthenticatedClientAction: empty(signInClientId) ? 'AllowAnonymous' : 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
      // Monitors watch it, and it tells nothing but well or not.
      excludedPaths: [
        '/api/health'
      ]
    }
    identityProviders: empty(signInClientId)
      ? {}
      : {
          azureActiveDirectory: {
            enabled: true
            registration: {
              openIdIssuer: '${environment().authentication.loginEndpoint}${signInTenantId}/v2.0'
              clientId: signInClientId
            }
            validation: {
              allowedAudiences: [
                signInClientId
                'api://${signInClientId}'
              ]
            }
          }
        }
    httpSettings: {
      requireHttps: true
    }
  }
}

@description('Host name of the app.')
output host string = app.properties.defaultHostName
