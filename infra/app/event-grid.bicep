// An Event Grid topic that takes CloudEvents from the app's identity, and from nobody by key.

@description('Name of the topic.')
param name string

@description('Region.')
param location string

@description('Tags of the resource.')
param tags object

@description('Object id of the app identity.')
param principalId string

@description('Whether to assign the role.')
param assignRole bool

var topicRoles = {
  'EventGrid Data Sender': 'd5a91429-5739-47e2-a06b-3470a27159e7'
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  // checkov:skip=CKV_AZURE_191: the topic sends with no identity of its own; whoever subscribes with one adds it
  // checkov:skip=CKV_AZURE_193: the instances have no fixed address to allow; entry is by Entra role only, as keys are off
  name: name
  location: location
  tags: tags
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
  }
}

resource onTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in (assignRole ? items(topicRoles) : []): {
    name: guid(topic.id, principalId, role.value)
    scope: topic
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

@description('Address that events are posted to.')
output endpoint string = topic.properties.endpoint
