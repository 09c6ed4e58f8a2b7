# What a replication may change in its process, put back before the next one: replication i must not depend on i - 1.
# Each part has a cheap test, made after every replication, and a repair, made where the test finds a difference.

then <- list()
watched_then <- list()
global_then <- NULL
environments_then <- list()
variables_touched <- FALSE

CATEGORIES <- c("LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME", "LC_MESSAGES")

# All that one comparison can tell. What was not touched is the same object, and `identical` does not look inside it.
watched_now <- in_place(function() {
  list(
    options = .Options, folder = folder(), locale = locale(), devices = joined(.Devices), connections = connections(),
    search = searched(), sinks = sinks(), message_sink = message_sink(), count = length(globalenv()),
    values = values_of(global_then$names, globalenv())
  )
})

remember_state <- function() {
  then <<- list(
    categories = vapply(CATEGORIES, Sys.getlocale, ""),
    variables = Sys.getenv(),
    attached = lapply(seq_along(search()), as.environment),
    kinds = RNGkind(),
    seed = globalenv()[[".Random.seed"]]
  )
  if (model$seeded) assign(".Random.seed", c(10407L, 1:6), envir = globalenv())
  memories <- lapply(reachable_environments(), remember_environment)
  global_then <<- memories[[1L]]
  environments_then <<- memories[-1L]
  watch_from_now()
  variables_touched <<- FALSE
}

# `.Options` is changed in place, so that its cells are copied.
watch_from_now <- function() {
  watched_then <<- watched_now()
  watched_then$options <<- as.pairlist(as.vector(.Options, "list"))
  watched_then$values <<- global_then$values
}

# Whether restore_state need not be called.
nothing_touched <- in_place(function() {
  model$seeded && !variables_touched && !length(environments_then) && same(watched_now(), watched_then)
})

restore_state <- function() {
  if (!model$seeded) restore_generators()
  if (!identical(watched_now(), watched_then)) restore_watched(watched_now())
  if (variables_touched) restore_variables()
  for (memory in environments_then) if (has_changed(memory)) restore_environment(memory)
}

# Where the model seeds itself, its generators are what they were once its file was loaded.
restore_generators <- function() {
  global <- globalenv()
  if (!identical(RNGkind(), then$kinds)) do.call(RNGkind, as.list(then$kinds))
  if (!is.null(then$seed)) assign(".Random.seed", then$seed, envir = global)
  else if (!is.null(global[[".Random.seed"]])) rm(".Random.seed", envir = global)
}

restore_watched <- function(found) {
  differs <- function(part) !identical(found[[part]], watched_then[[part]])
  if (differs("sinks") || differs("message_sink")) restore_sinks()
  if (differs("options")) restore_options()
  if (differs("folder")) setwd(watched_then$folder)
  if (differs("locale")) restore_locale()
  if (differs("devices")) while (grDevices::dev.cur() > 1L) grDevices::dev.off()
  if (differs("connections")) restore_connections()
  if (differs("search")) restore_search()
  if (differs("count") || differs("values")) restore_environment(global_then)
  watch_from_now()
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

# A package that the model loads while it simulates stays loaded, so that what it set in doing so has to stay too.
watch_loading <- function() {
  load <- base::loadNamespace
  wrapped <- load
  body(wrapped) <- bquote({
    if (FALSE) .(body(load))  # pkgload::load_all() takes a part of it
    before <- options()
    on.exit(keep_options(before))
    load(package, lib.loc, keep.source, partial, versionCheck, keep.parse.data)
  })
  environment(wrapped) <- environment()
  mask("loadNamespace", wrapped)
}

keep_options <- function(before) {
  if (!length(watched_then)) return()
  after <- options()
  kept <- as.list(watched_then$options)
  for (name in names(after)) if (!identical(after[[name]], before[[name]])) kept[[name]] <- after[[name]]
  watched_then$options <<- as.pairlist(kept)
}

restore_sinks <- function() {
  while (sinks() > 0L) sink()
  if (message_sink() != 2L) sink(type = "message")
}

restore_options <- function() {
  before <- as.list(watched_then$options)
  added <- setdiff(names(options()), names(before))
  options(structure(vector("list", length(added)), names = added))
  for (name in names(before)) {
    if (!identical(getOption(name), before[[name]])) try(options(before[name]), silent = TRUE)
  }
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

restore_connections <- function() {
  for (number in setdiff(connections(), watched_then$connections)) try(close(getConnection(number)), silent = TRUE)
}

restore_search <- function() {
  for (place in rev(seq_along(search()))) {
    if (!(search()[[place]] %in% watched_then$search)) detach(pos = place, character.only = TRUE)
  }
  while (anyDuplicated(search()) && !anyDuplicated(watched_then$search)) detach(pos = anyDuplicated(search()))
  for (place in seq_along(watched_then$search)) {
    name <- watched_then$search[[place]]
    if (name %in% search()) next
    if (startsWith(name, "package:")) attachNamespace(sub("package:", "", name, fixed = TRUE), pos = place)
    else attach(then$attached[[place]], pos = place, name = name)
  }
}
