# Keeping what a model returned as an .rds file.

# Saves `value` as folder/result.rds. Version 2 of the format writes values, not how this process happened to hold them.
keep_result <- function(value, folder) {
  value <- wrapped(value)
  refuse_pointers(value)
  dir.create(folder, recursive = TRUE, showWarnings = FALSE)
  saveRDS(value, file.path(folder, "result.rds"), version = 2L)
}

# simmer environments hold a pointer into C++; their wrapped form holds their monitors as plain data.
wrapped <- function(value) {
  if (is.environment(value) && inherits(value, "simmer")) return(simmer::wrap(value))
  if (is.list(value) && !is_frame(value)) {
    kind <- attributes(value)
    value <- lapply(value, wrapped)
    attributes(value) <- kind
  }
  value
}

refuse_pointers <- function(value) {
  path <- pointer_in(value, "the result", new.env(parent = emptyenv()))
  if (!is.null(path)) {
    unusable(
      "with keep = \"rds\" the result is saved to a file, and ", path, " is an external pointer: it leads into this ",
      "process's memory and would be empty when read again; return the data that it stands for"
    )
  }
}

POINTERS <- c("externalptr", "weakref")
# data.table marks its tables with a pointer that it makes anew when they are read.
HARMLESS_ATTRIBUTES <- c("names", "class", "dim", "row.names", "levels", ".internal.selfref")

# Where in `value` an external pointer is, in words, or NULL. `seen` holds the environments on the way.
pointer_in <- function(value, path, seen) {
  kind <- typeof(value)
  if (kind %in% POINTERS) return(path)
  for (name in setdiff(names(attributes(value)), HARMLESS_ATTRIBUTES)) {
    found <- pointer_in(attr(value, name, exact = TRUE), paste0(path, "@", name), seen)
    if (!is.null(found)) return(found)
  }
  switch(kind,
    list = pointer_in_elements(value, path, seen),
    environment = pointer_in_environment(value, path, seen),
    closure = pointer_in_environment(environment(value), paste0("the environment of ", path), seen),
    NULL
  )
}

pointer_in_elements <- function(value, path, seen) {
  value <- unclass(value)
  may_hold <- vapply(value, function(element) !is.atomic(element) || is.object(element), NA)
  for (place in which(may_hold)) {
    name <- names(value)[place]
    label <- if (is.null(name) || !nzchar(name)) paste0("[[", place, "]]") else paste0("$", name)
    found <- pointer_in(.subset2(value, place), paste0(path, label), seen)
    if (!is.null(found)) return(found)
  }
  NULL
}

pointer_in_environment <- function(environment, path, seen) {
  if (is_permanent(environment) || is_among(environment, seen$all)) return(NULL)
  seen$all <- c(seen$all, environment)
  for (name in ls(environment, all.names = TRUE)) {
    if (name == "..." || bindingIsActive(name, environment) || is_missing_argument(name, environment)) next
    found <- pointer_in(get(name, envir = environment), paste0(path, "$", name), seen)
    if (!is.null(found)) return(found)
  }
  pointer_in_environment(parent.env(environment), paste0("the environment around ", path), seen)
}

# An argument that was not given, or one that cannot be evaluated, holds nothing that could be lost.
is_missing_argument <- function(name, environment) {
  tryCatch(identical(get(name, envir = environment), quote(expr = )), error = function(e) TRUE)
}
