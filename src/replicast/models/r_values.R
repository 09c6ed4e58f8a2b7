# Values that a model keeps from one replication to the next: its globals and the environments that they hold.

# The global environment and whatever environments its values hold: closures' own, lists of state, reference objects.
# An environment of a package is permanent and left alone.
MOST_ENVIRONMENTS <- 500L

is_permanent <- function(environment) {
  is_among(environment, c(globalenv(), emptyenv(), baseenv(), ours)) || isNamespace(environment) ||
    !is.null(attr(environment, "path")) || grepl("^(package|imports|tools):", environmentName(environment))
}

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
  described <- attributes(value)
  inner <- lapply(described[names(described) != "srcref"], environments_held)
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

has_changed <- written_out(function(memory) {
  length(memory$environment) != memory$count || !same(values_of(memory$names, memory$environment), memory$values)
})

restore_environment <- function(memory) {
  environment <- memory$environment
  added <- setdiff(ls(environment, all.names = TRUE, sorted = FALSE), c(memory$all, ".Random.seed"))
  try(rm(list = added, envir = environment), silent = TRUE)
  for (name in memory$names) {
    current <- get0(name, envir = environment, inherits = FALSE, ifnotfound = absent)
    value <- memory$values[[name]]
    if (!identical(current, value)) try(assign(name, copy_of(value), envir = environment), silent = TRUE)
  }
}
