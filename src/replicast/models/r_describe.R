# What a loaded model says of itself: its arguments with the types of their defaults, and what it ran under.

BASE_PACKAGES <- c(
  "base", "compiler", "datasets", "graphics", "grDevices", "grid", "methods", "parallel", "splines", "stats", "stats4",
  "tcltk", "tools", "utils"
)

RESERVED <- c("replication", "params", "seed", "seed32", "antithetic")

describe_model <- function(request) {
  arguments <- formals(args(model$value))
  names <- as.character(names(arguments))
  collate <- get0(request$collate, envir = globalenv(), mode = "function", inherits = FALSE, ifnotfound = absent)
  put(c(LOADED, any(c("...", "params") %in% names), is.function(collate)))
  put_texts(intersect(RESERVED, names))
  put_texts(if (is.function(collate) && length(formals(collate))) names(formals(collate))[[1L]] else character())
  packages <- sort(setdiff(loadedNamespaces(), BASE_PACKAGES))
  put_texts(c("R", packages))
  put_texts(c(paste(R.version$major, R.version$minor, sep = "."), vapply(packages, getNamespaceVersion, "")))
  put_table("parameters", described(arguments[setdiff(names, c(RESERVED, "..."))]))
  send()
}

described <- function(arguments) {
  defaults <- lapply(arguments, default_of)
  types <- vapply(defaults, function(default) default$type, "", USE.NAMES = FALSE)
  plain <- function(type, missing) {
    values <- rep(missing, length(defaults))
    values[types == type] <- vapply(defaults[types == type], function(default) default$value, missing)
    values
  }
  data.frame(
    name = as.character(names(arguments)),
    required = vapply(arguments, identical, NA, quote(expr = ), USE.NAMES = FALSE),
    type = types,
    integer = plain("integer", NA_integer_), double = plain("double", NA_real_),
    boolean = plain("boolean", NA), string = plain("string", NA_character_),
    numeric = vapply(defaults, function(default) is_numeric_vector(default$value), NA, USE.NAMES = FALSE)
  )
}

default_of <- function(default) {
  if (!is_known(default)) return(list(type = "other"))
  value <- value_of_default(default)
  list(type = type_of(value), value = value)
}

is_numeric_vector <- function(value) is.numeric(value) && is.atomic(value) && !is.object(value) && length(value) > 1L

type_of <- function(value) {
  if (is.null(value)) return("null")
  if (inherits(value, "Date")) return("date")
  if (inherits(value, "POSIXct")) return("time")
  if (is_frame(value)) return("frame")
  if (is.atomic(value) && !is.object(value) && !is.null(names(value))) return("named")
  if (is.list(value) || (is.atomic(value) && length(value) != 1L)) return("list")
  if (is.object(value) || identical(value, NA)) return("other")
  switch(typeof(value), integer = "integer", double = "double", logical = "boolean", character = "string", "other")
}
