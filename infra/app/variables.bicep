// How the deployment's own variables are read. Nothing here fails: mistakes() says all that is wrong at once.

@export()
@description('A variable without white space around it, or what holds when it is left empty.')
func given(text string, standard string) string => empty(trim(text)) ? standard : trim(text)

@export()
@description('Whether a variable says true.')
func isOn(text string, standard string) bool => contains(['true', '1'], toLower(given(text, standard)))

@export()
@description('The Batch accounts of BATCH_ACCOUNT_IDS, each once. In lower case: the CLI and the portal spell one id in two ways.')
func batchAccounts(text string) array => union([], filter(entries(text), entry => isBatchAccount(entry)))

@export()
@description('What stands between two slashes, counted from 0; empty where there is nothing.')
func part(text string, index int) string => split(text, '/')[?index] ?? ''

@export()
@description('A sentence for each variable that can\'t be meant as it stands: what is wrong, and how to mend it.')
func mistakes(variables object) array =>
  filter(
    [
      empty(concat(entries(variables.BATCH_ACCOUNT_IDS), entries(variables.BATCH_ACCOUNT_URLS)))
        ? 'BATCH_ACCOUNT_IDS is missing; write the resource ids of the Batch accounts to watch'
        : ''
      mistake(
        variables.BATCH_ACCOUNT_IDS,
        empty(strangers(variables.BATCH_ACCOUNT_IDS)),
        'BATCH_ACCOUNT_IDS holds what is no resource id of a Batch account (${join(strangers(variables.BATCH_ACCOUNT_IDS), ', ')}); copy it from: az batch account show -n NAME -g GROUP --query id -o tsv'
      )
      notOneOf('ASSIGN_ROLES', variables.ASSIGN_ROLES, switches(), 'true or false')
      notOneOf('VNET_ENABLED', variables.VNET_ENABLED, switches(), 'true or false')
      notOneOf('EVENT_GRID_TOPIC', variables.EVENT_GRID_TOPIC, switches(), 'true or false')
      notOneOf('INSTANCE_MEMORY_MB', variables.INSTANCE_MEMORY_MB, ['512', '2048', '4096'], '512, 2048 or 4096')
      notOneOf(
        'MAXIMUM_INSTANCE_COUNT',
        variables.MAXIMUM_INSTANCE_COUNT,
        texts(range(1, 1000)),
        'a whole number from 1 to 1000'
      )
      mistake(
        variables.VNET_ADDRESS_PREFIX,
        isNetwork(trim(variables.VNET_ADDRESS_PREFIX)),
        'VNET_ADDRESS_PREFIX is no network of /8 to /22; write one such as 10.20.0.0/16'
      )
      mistake(
        variables.EVENT_GRID_TOPIC,
        !isOn(variables.EVENT_GRID_TOPIC, 'false') || !contains(string(variables.WEBHOOKS), '"name":"event-grid"'),
        'WEBHOOKS has a webhook named event-grid, as the one of EVENT_GRID_TOPIC is; give it another name'
      )
      mistake(
        variables.SIGN_IN_CLIENT_ID,
        isGuid(trim(variables.SIGN_IN_CLIENT_ID)),
        'SIGN_IN_CLIENT_ID is no client id; copy the application (client) id of the app registration'
      )
      mistake(
        variables.SIGN_IN_TENANT_ID,
        isGuid(trim(variables.SIGN_IN_TENANT_ID)),
        'SIGN_IN_TENANT_ID is no tenant id; copy it from: az account show --query tenantId -o tsv'
      )
      mistake(
        variables.ALERT_EMAIL,
        contains(variables.ALERT_EMAIL, '@'),
        'ALERT_EMAIL is no mail address; write one, or leave it empty'
      )
      mistake(
        variables.ACTION_GROUP_ID,
        isIdOf(toLower(trim(variables.ACTION_GROUP_ID)), 'microsoft.insights/actiongroups'),
        'ACTION_GROUP_ID is no resource id of an action group; copy it from: az monitor action-group show -n NAME -g GROUP --query id -o tsv'
      )
    ],
    sentence => !empty(sentence)
  )

// What is left empty takes its default, so it is never wrong.
func mistake(text string, usable bool, sentence string) string => empty(trim(text)) || usable ? '' : sentence

func notOneOf(name string, text string, allowed array, mend string) string =>
  mistake(text, contains(allowed, toLower(trim(text))), '${name} is not usable; write ${mend}')

func switches() array => ['true', 'false', '1', '0']

func texts(numbers array) array => map(numbers, number => string(number))

func entries(text string) array => filter(map(split(text, ','), part => toLower(trim(part))), part => !empty(part))

func strangers(text string) array => filter(entries(text), entry => !isBatchAccount(entry))

func isBatchAccount(id string) bool => isIdOf(id, 'microsoft.batch/batchaccounts')

func isIdOf(id string, type string) bool =>
  all([
    id == '/subscriptions/${part(id, 2)}/resourcegroups/${part(id, 4)}/providers/${type}/${part(id, 8)}'
    isGuid(part(id, 2))
    !empty(part(id, 4))
    !empty(part(id, 8))
  ])

func isGuid(text string) bool => join(map(split(text, '-'), digits => string(length(digits))), '-') == '8-4-4-4-12'

// Three blocks of /24 must fit into it, and Azure takes nothing larger than /8.
func isNetwork(text string) bool =>
  all([
    text == '${part(text, 0)}/${part(text, 1)}'
    isAddress(part(text, 0))
    contains(texts(range(8, 15)), part(text, 1))
  ])

func isAddress(text string) bool =>
  length(split(text, '.')) == 4 && empty(filter(split(text, '.'), byte => !contains(texts(range(0, 256)), byte)))

func all(checks array) bool => !contains(checks, false)
