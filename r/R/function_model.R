# An R function as a model: written to a file, with the globals and packages that it uses.

# Writes a project to `folder`; its file's path. Says which packages and globals travel.
write_function_model <- function(simulate, folder) {
  found <- needs_of(simulate)
  dir.create(folder, recursive = TRUE, showWarnings = FALSE)
  if (length(found$globals)) saveRDS(found$globals, file.path(folder, "globals.rds"), version = 3)
  saveRDS(at_home(simulate), file.path(folder, "simulate.rds"), version = 3)
  lines <- c(
    if (length(found$packages)) sprintf("library(%s)", found$packages),
    if (length(found$globals)) "list2env(readRDS(\"globals.rds\"), globalenv())",
    "simulate <- readRDS(\"simulate.rds\")",
    "", "# The function, to read; the one that runs is in simulate.rds.", paste("#", deparse(simulate))
  )
  writeLines(enc2utf8(lines), file.path(folder, "model.R"), useBytes = TRUE)
  say_what_travels(found)
  file.path(folder, "model.R")
}

say_what_travels <- function(found) {
  globals <- names(found$globals)
  if (length(found$packages)) message("packages that travel with the function: ", paste(found$packages, collapse = ", "))
  if (length(globals)) message("globals that travel with the function: ", paste(globals, collapse = ", "))
}

# A function of the global environment or of a call's frame, looked up in the global environment where it runs.
at_home <- function(value) {
  if (is.function(value) && !is.primitive(value) && !is_package(environment(value))) environment(value) <- globalenv()
  value
}

is_package <- function(environment) {
  isNamespace(environment) || identical(environment, baseenv()) || !is.null(attr(environment, "path")) ||
    startsWith(environmentName(environment), "package:")
}

# Globals by name, with what those that are functions need in turn, and the attached packages that any of them uses.
needs_of <- function(simulate) {
  globals <- list()
  packages <- character()
  waiting <- list(simulate)
  while (length(waiting)) {
    one <- waiting[[1L]]
    waiting <- waiting[-1L]
    for (name in names_used_by(one)) {
      if (name %in% names(globals)) next
      home <- home_of(name, environment(one))
      if (is.null(home)) next
      if (is_package(home)) {
        packages <- c(packages, package_of(home))
      } else {
        value <- get(name, envir = home)
        globals[[name]] <- at_home(value)
        if (is.function(value)) waiting <- c(waiting, list(value))
      }
    }
  }
  attached <- sub("^package:", "", grep("^package:", search(), value = TRUE))
  list(globals = globals, packages = rev(intersect(attached, setdiff(packages, ALWAYS_ATTACHED))))
}

ALWAYS_ATTACHED <- c("base", "stats", "graphics", "grDevices", "utils", "datasets", "methods")

names_used_by <- function(value) {
  if (is.primitive(value)) return(character())
  found <- unlist(codetools::findGlobals(value, merge = TRUE))
  setdiff(found, c("{", "(", "<-", "=", "if", "for", "while", "repeat", "function", "return"))
}

# The environment in which a name is found from `start` on; NULL where it is not.
home_of <- function(name, start) {
  while (!identical(start, emptyenv())) {
    if (exists(name, envir = start, inherits = FALSE)) return(start)
    start <- parent.env(start)
  }
  NULL
}

package_of <- function(environment) {
  name <- environmentName(environment)
  if (isNamespace(environment)) getNamespaceName(environment)[[1L]] else sub("^(package|imports):", "", name)
}
