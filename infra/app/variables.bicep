// How the deployment's own variables are read. Nothing here fails: mistakes() says all that is wrong at once.

import { isSchedule } from 'schedule.bicep'

// The preflight reads them too (infra/hooks/variable_rules.py).
var rules = loadJsonContent('variable-rules.json')

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
    concat(
      [
        empty(concat(entries(variables.BATCH_ACCOUNT_IDS), entries(variables.BATCH_ACCOUNT_URLS)))
          ? 'BATCH_ACCOUNT_IDS is missing; write the resource ids of the Batch accounts to watch'
          : ''
        mistake(
          variables.BATCH_ACCOUNT_IDS,
          empty(strangers(variables.BATCH_ACCOUNT_IDS)),
          'BATCH_ACCOUNT_IDS holds what is no resource id of a Batch account (${join(strangers(variables.BATCH_ACCOUNT_IDS), ', ')}); copy it from: az batch account show -n NAME -g GROUP --query id -o tsv'
        )
        mistake(
          variables.POLL_SCHEDULE,
          isSchedule(variables.POLL_SCHEDULE),
          'POLL_SCHEDULE can\'t be read; write six fields with spaces between them, such as 0 * * * * * for every minute'
        )
        mistake(
          variables.EVENT_GRID_TOPIC,
          !isOn(variables.EVENT_GRID_TOPIC, 'false') || !contains(string(variables.WEBHOOKS), '"name":"event-grid"'),
          'WEBHOOKS has a webhook named event-grid, as the one of EVENT_GRID_TOPIC is; give it another name'
        )
      ],
      map(
        rules,
        rule =>
          mistake(
            variables[rule.name],
            isUsable(toLower(trim(variables[rule.name])), rule),
            '${rule.name} ${rule.wrong}'
          )
      )
    ),
    sentence => !empty(sentence)
  )

// What is left empty takes its default, so it is never wrong.
func mistake(text string, usable bool, sentence string) string => empty(trim(text)) || usable ? '' : sentence

func isUsable(text string, rule object) bool =>
  rule.is == 'one of'
    ? contains(rule.values, text)
    : rule.is == 'whole number'
        ? contains(texts(rule.values[0], rule.values[1]), text)
        : rule.is == 'network'
            ? isNetwork(text, rule.values[0], rule.values[1])
            : rule.is == 'guid' ? isGuid(text) : rule.is == 'id of' ? isIdOf(text, rule.values[0]) : isMail(text)

func texts(first int, last int) array => map(range(first, last - first + 1), number => string(number))

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

func isGuid(text string) bool =>
  join(map(split(text, '-'), digits => string(length(digits))), '-') == '8-4-4-4-12' && empty(filter(
    range(0, length(text)),
    i => !contains('0123456789abcdef-', substring(text, i, 1))
  ))

func isMail(text string) bool =>
  all([
    length(split(text, '@')) == 2
    !empty(first(split(text, '@')))
    !empty(last(split(text, '@')))
    empty(filter([' ', ',', ';', '<', '>'], sign => contains(text, sign)))
  ])

func isNetwork(text string, shortest int, longest int) bool =>
  all([
    text == '${part(text, 0)}/${part(text, 1)}'
    isAddress(part(text, 0))
    contains(texts(shortest, longest), part(text, 1))
  ])

func isAddress(text string) bool =>
  length(split(text, '.')) == 4 && empty(filter(split(text, '.'), byte => !contains(texts(0, 255), byte)))

func all(checks array) bool => !contains(checks, false)
