# What a replication may change in its process, put back before the next one: replication i must not depend on i - 1.
# Each part has a cheap test, made after every replication, and a repair, made where the test finds a difference.

fastest <- function(quick, plain) {
  works <- tryCatch(identical(typeof(quick()), typeof(plain())), error = function(e) FALSE)
  if (works) quick else plain
}

output <- stdout()

# .Internal saves microseconds in a loop of microseconds; where another R has it otherwise, the public function serves.
now <- fastest(function() .Internal(Sys.time()), function() unclass(Sys.time()))
sinks <- fastest(function() .Internal(sink.number(TRUE)), function() sink.number())
message_sink <- fastest(function() .Internal(sink.number(FALSE)), function() sink.number("message"))
locale <- fastest(function() .Internal(Sys.getlocale(1L)), function() Sys.getlocale())
flush_output <- fastest(function() .Internal(flush(output)), function() flush(output))
log_size <- fastest(function() .Internal(file.info(log_file, FALSE))[[1L]], function() file.size(log_file))

then <- list()
state_then <- list()
options_then <- NULL
environments_then <- list()
variables_touched <- FALSE

CATEGORIES <- c("LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME", "LC_MESSAGES")

# All but options, variables and values: a few short vectors, told apart by one comparison.
state_now <- function() {
  list(
    folder = getwd(), locale = locale(), devices = unlist(.Devices), connections = getAllConnections(), search = search(),
    sinks = sinks(), message_sink = message_sink()
  )
}

# `.Options` is changed in place, so that what is remembered are its cells, copied.
options_now <- function() as.pairlist(as.vector(.Options, "list"))

remember_state <- function() {
  then <<- list(
    categories = vapply(CATEGORIES, Sys.getlocale, ""),
    variables = Sys.getenv(),
    attached = lapply(seq_along(search()), as.environment),
    kinds = RNGkind(),
    seed = globalenv()[[".Random.seed"]]
  )
  state_then <<- state_now()
  options_then <<- options_now()
  environments_then <<- lapply(reachable_environments(), remember_environment)
  variables_touched <<- FALSE
}

restore_state <- function() {
  if (!identical(state_now(), state_then)) restore_parts(state_now())
  if (!identical(.Options, options_then)) restore_options()
  if (variables_touched) restore_variables()
  for (memory in environments_then) if (has_changed(memory)) restore_environment(memory)
}

restore_parts <- function(found) {
  differs <- function(part) !identical(found[[part]], state_then[[part]])
  if (differs("sinks") || differs("message_sink")) restore_sinks()
  if (differs("folder")) setwd(state_then$folder)
  if (differs("locale")) restore_locale()
  if (differs("devices")) restore_devices()
  if (differs("connections")) restore_connections()
  if (differs("search")) restore_search()
}

# Reading all variables takes longer than a quick model, so that their change is seen where it is made.
watch_variables <- function() {
  set <- base::Sys.setenv
  unset <- base::Sys.unsetenv
  mask("Sys.setenv", function(...) {
    variables_touched <<- TRUE
    set(...)
  })
  mask("Sys.unsetenv", function(x) {
    variables_touched <<- TRUE
    unset(x)
  })
}

restore_sinks <- function() {
  while (sinks() > 0L) sink()
  if (message_sink() != 2L) sink(type = "message")
}

restore_options <- function() {
  before <- as.list(options_then)
  added <- setdiff(names(options()), names(before))
  options(structure(vector("list", length(added)), names = added))
  for (name in names(before)) {
    if (!identical(getOption(name), before[[name]])) try(options(before[name]), silent = TRUE)
  }
  # A list of options keeps the order in which they were first set.
  if (setequal(names(options()), names(before))) options_then <<- options_now()
}

restore_locale <- function() {
  for (category in CATEGORIES) Sys.setlocale(category, then$categories[[category]])
}

restore_variables <- function() {
  before <- then$variables
  Sys.unsetenv(setdiff(names(Sys.getenv()), names(before)))
  do.call(Sys.setenv, as.list(before))
  variables_touched <<- FALSE
}

restore_devices <- function() {
  while (grDevices::dev.cur() > 1L) grDevices::dev.off()
  state_then$devices <<- unlist(.Devices)
}

restore_connections <- function() {
  for (number in setdiff(getAllConnections(), state_then$connections)) try(close(getConnection(number)), silent = TRUE)
}

restore_search <- function() {
  for (place in rev(seq_along(search()))) {
    if (!(search()[[place]] %in% state_then$search)) detach(pos = place, character.only = TRUE)
  }
  while (anyDuplicated(search()) && !anyDuplicated(state_then$search)) detach(pos = anyDuplicated(search()))
  for (place in seq_along(state_then$search)) {
    name <- state_then$search[[place]]
    if (name %in% search()) next
    if (startsWith(name, "package:")) attachNamespace(sub("package:", "", name, fixed = TRUE), pos = place)
    else attach(then$attached[[place]], pos = place, name = name)
  }
}

# The global environment and whatever environments its values hold: closures' own, lists of state, reference objects.
# An environment of a package is permanent and left alone.
MOST_ENVIRONMENTS <- 500L

is_permanent <- function(environment) {
  identical(environment, globalenv()) || identical(environment, emptyenv()) || identical(environment, baseenv()) ||
    isNamespace(environment) || !is.null(attr(environment, "path")) || grepl("^(package|imports|tools):", environmentName(environment)) ||
    identical(environment, ours)
}

ours <- environment()

is_among <- function(environment, environments) {
  for (other in environments) if (identical(environment, other)) return(TRUE)
  FALSE
}

reachable_environments <- function() {
  found <- list(globalenv())
  place <- 1L
  while (place <= length(found)) {
    for (environment in environments_in(found[[place]])) {
      if (length(found) < MOST_ENVIRONMENTS && !is_among(environment, found)) found[[length(found) + 1L]] <- environment
    }
    place <- place + 1L
  }
  found
}

environments_in <- function(environment) {
  names <- names_in(environment)
  held <- lapply(names[!startsWith(names, ".__")], function(name) environments_held(get(name, envir = environment)))
  above <- if (is_permanent(environment)) list() else list(parent.env(environment))
  Filter(function(one) !is_permanent(one), c(unlist(held, recursive = FALSE), above))
}

# Environments that a value holds directly: itself, its function's, those in its list elements and attributes.
environments_held <- function(value) {
  inner <- lapply(attributes(value), environments_held)
  if (is.list(value) && !is_frame(value)) inner <- c(inner, lapply(unclass(value), environments_held))
  own <- if (typeof(value) == "closure" && !isS4(value)) list(environment(value))
  else if (is.environment(value)) list(as.environment(value))
  c(own, unlist(inner, recursive = FALSE, use.names = FALSE))
}

# Bindings with a value that can be looked at: not active, not a promise that fails, not our random numbers.
names_in <- function(environment) {
  names <- ls(environment, all.names = TRUE, sorted = FALSE)
  Filter(function(name) {
    name != ".Random.seed" && name != "..." && !bindingIsActive(name, environment) &&
      tryCatch(!identical(get(name, envir = environment), quote(expr = )), error = function(e) FALSE)
  }, names)
}

# data.table alone changes values in place, so its values are remembered as copies.
copy_of <- function(value) if (inherits(value, "data.table")) data.table::copy(value) else value

remember_environment <- function(environment) {
  names <- names_in(environment)
  all <- setdiff(ls(environment, all.names = TRUE, sorted = FALSE), ".Random.seed")
  values <- lapply(mget(names, envir = environment), copy_of)
  list(environment = environment, names = names, values = values, all = all, count = length(all))
}

absent <- new.env()
if_absent <- list(absent)

# Values that were not touched are the same objects, which `identical` sees without looking inside.
has_changed <- function(memory) {
  environment <- memory$environment
  count <- if (is.null(environment[[".Random.seed"]])) length(environment) else length(environment) - 1L
  count != memory$count ||
    !identical(mget(memory$names, envir = environment, ifnotfound = if_absent), memory$values)
}

restore_environment <- function(memory) {
  environment <- memory$environment
  added <- setdiff(ls(environment, all.names = TRUE, sorted = FALSE), c(memory$all, ".Random.seed"))
  try(rm(list = added, envir = environment), silent = TRUE)
  for (name in memory$names) {
    current <- get0(name, envir = environment, inherits = FALSE, ifnotfound = absent)
    if (!identical(current, memory$values[[name]])) try(assign(name, copy_of(memory$values[[name]]), envir = environment), silent = TRUE)
  }
}
