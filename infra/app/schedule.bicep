// What an NCRONTAB schedule says, as the app reads it (shared/settings/schedule.py): whether it can be read, and how
// long it waits between two polls. A field is a list of parts, a part is *, a value or a range, with a step or without.

var limits = [
  { low: 0, high: 59, words: [] }
  { low: 0, high: 59, words: [] }
  { low: 0, high: 23, words: [] }
  { low: 1, high: 31, words: [] }
  { low: 1, high: 12, words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] }
  { low: 0, high: 6, words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] }
]

@export()
@description('Whether it has six fields that can be read.')
func isSchedule(text string) bool =>
  length(fieldsOf(text)) == 6 ? !contains(map(range(0, 6), i => isField(fieldsOf(text)[i], limits[i])), false) : false

@export()
@description('The longest wait between two polls in minutes; 0 for a schedule that does not poll on every day.')
func longestWait(text string) int =>
  contains(map(range(3, 3), i => isWhole(valuesOf(fieldsOf(text)[i], limits[i]), limits[i])), false)
    ? 0
    : waitOf(valuesOf(fieldsOf(text)[1], limits[1]), valuesOf(fieldsOf(text)[2], limits[2]))

// From minute to minute of an hour, and from an hour's last minute to the first of the next, which may be tomorrow's.
func waitOf(minutes array, hours array) int =>
  max(concat(
    steps(minutes),
    map(steps(concat(hours, [first(hours) + 24])), hours => hours * 60 - last(minutes) + first(minutes))
  ))

func steps(numbers array) array => map(range(1, length(numbers) - 1), i => numbers[i] - numbers[i - 1])

func fieldsOf(text string) array => filter(split(toLower(text), ' '), field => !empty(field))

func numbersOf(limit object) array => range(limit.low, limit.high - limit.low + 1)

func isWhole(values array, limit object) bool => length(values) == length(numbersOf(limit))

func valuesOf(field string, limit object) array =>
  filter(numbersOf(limit), number => contains(map(split(field, ','), part => holds(part, number, limit)), true))

func holds(part string, number int, limit object) bool =>
  number >= firstOf(part, limit) && number <= lastOf(part, limit) && (number - firstOf(part, limit)) % stepOf(part) == 0

func endsOf(part string) array => split(split(part, '/')[0], '-')

func stepOf(part string) int => int(split(part, '/')[?1] ?? '1')

func firstOf(part string, limit object) int => startsWith(part, '*') ? limit.low : numberOf(endsOf(part)[0], limit)

// A step without an end runs to the end of the field: 10/20 is 10, 30 and 50.
func lastOf(part string, limit object) int =>
  startsWith(part, '*') || (contains(part, '/') && length(endsOf(part)) == 1)
    ? limit.high
    : numberOf(last(endsOf(part)), limit)

func numberOf(text string, limit object) int =>
  areDigits(text) ? int(text) : limit.low + indexOf(limit.words, take(text, 3))

func isField(field string, limit object) bool => !contains(map(split(field, ','), part => isPart(part, limit)), false)

func isPart(part string, limit object) bool =>
  length(split(part, '/')) < 3 && isStep(split(part, '/')[?1] ?? '1') && isRange(endsOf(part), limit)

func isStep(text string) bool => areDigits(text) ? int(text) > 0 : false

func isRange(ends array, limit object) bool =>
  ends[0] == '*'
    ? length(ends) == 1
    : length(ends) < 3 && !contains(map(ends, end => isNumber(end, limit)), false)
        ? numberOf(first(ends), limit) <= numberOf(last(ends), limit)
        : false

func isNumber(text string, limit object) bool =>
  areDigits(text) ? contains(numbersOf(limit), int(text)) : contains(limit.words, take(text, 3))

// More than nine of them are no number that the engine counts with.
func areDigits(text string) bool =>
  length(text) > 0 && length(text) < 10
    ? empty(filter(range(0, length(text)), i => !contains('0123456789', substring(text, i, 1))))
    : false
