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
variables <- fastest(function() .Internal(Sys.getenv(character(), "")), function() as.character(Sys.getenv()))
flush_output <- fastest(function() .Internal(flush(output)), function() flush(output))
log_size <- fastest(function() .Internal(file.info(log_file, FALSE))[[1L]], function() file.size(log_file))

then <- list()
environments_then <- list()

CATEGORIES <- c("LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME", "LC_MESSAGES")

remember_state <- function() {
  then <<- list(
    options = as.vector(.Options, "list"),
    folder = getwd(),
    locale = Sys.getlocale(),
    categories = vapply(CATEGORIES, Sys.getlocale, ""),
    variables = variables(),
    values = Sys.getenv(),
    devices = .Devices,
    connections = getAllConnections(),
    search = search(),
    attached = lapply(seq_along(search()), as.environment),
    kinds = RNGkind()
  )
  environments_then <<- lapply(reachable_environments(), remember_environment)
}

restore_state <- function() {
  if (sinks() != 0L || message_sink() != 2L) restore_sinks()
  if (!identical(as.vector(.Options, "list"), then$options)) restore_options()
  if (!identical(getwd(), then$folder)) setwd(then$folder)
  if (!identical(Sys.getlocale(), then$locale)) restore_locale()
  if (!identical(variables(), then$variables)) restore_variables()
  if (!identical(.Devices, then$devices)) restore_devices()
  if (!identical(getAllConnections(), then$connections)) restore_connections()
  if (!identical(search(), then$search)) restore_search()
  for (memory in environments_then) if (has_changed(memory)) restore_environment(memory)
}

restore_sinks <- function() {
  while (sinks() > 0L) sink()
  if (message_sink() != 2L) sink(type = "message")
}

restore_options <- function() {
  before <- then$options
  added <- setdiff(names(options()), names(before))
  options(structure(vector("list", length(added)), names = added))
  for (name in names(before)) {
    if (!identical(getOption(name), before[[name]])) try(options(before[name]), silent = TRUE)
  }
  # A list of options keeps the order in which they were first set.
  if (setequal(names(options()), names(before))) then$options <<- as.vector(.Options, "list")
}

restore_locale <- function() {
  for (category in CATEGORIES) Sys.setlocale(category, then$categories[[category]])
}

restore_variables <- function() {
  before <- then$values
  Sys.unsetenv(setdiff(names(Sys.getenv()), names(before)))
  do.call(Sys.setenv, as.list(before))
  then$variables <<- variables()
}

restore_devices <- function() {
  while (grDevices::dev.cur() > 1L) grDevices::dev.off()
  then$devices <<- .Devices
}

restore_connections <- function() {
  for (number in setdiff(getAllConnections(), then$connections)) try(close(getConnection(number)), silent = TRUE)
}

restore_search <- function() {
  for (place in rev(seq_along(search()))) {
    if (!(search()[[place]] %in% then$search)) detach(pos = place, character.only = TRUE)
  }
  while (anyDuplicated(search()) && !anyDuplicated(then$search)) detach(pos = anyDuplicated(search()))
  for (place in seq_along(then$search)) {
    name <- then$search[[place]]
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
  length(environment) - !is.null(environment[[".Random.seed"]]) != memory$count ||
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
