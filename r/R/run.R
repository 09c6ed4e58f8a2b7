#' Run replications of a simulation model
#'
#' Each replication runs on a random number stream of its own (L'Ecuyer-CMRG) that depends on `seed` and its number
#' alone, in as many processes as there are cores. All results are stored; what is stored is never computed again.
#'
#' @param model The path of an R or Python file that defines `simulate`, optionally with `:name` of another function;
#'   or an R function. A function is written to a file together with the globals and packages that it uses, and a
#'   message says which these are. Its arguments `replication`, `params` and `seed` are filled in; all others are
#'   parameters.
#' @param n Number of replications of each scenario.
#' @param seed A whole number that decides all random numbers; chosen and recorded where it is not given.
#' @param params A named list of parameter values, for all scenarios.
#' @param scenarios A named list of named lists: each scenario's own parameter values.
#' @param grid A named list of vectors: every combination is a scenario.
#' @param on Where: `"local"`, `"serial"`, `"slurm"`, `"aws"`, …
#' @param ... Further options of `replicast run` by their long names, as in `workers = 4`, `timeout = 600`,
#'   `keep = "rds"`, `precision = "wait=5%"`, `tolerate = "5%"`, `streams = "future"`, `memory = "2GB"`; `TRUE` for
#'   options without a value.
#' @param store Where runs live: a folder, or the URL of a bucket or database.
#' @param name The run's ID. The same name again goes on with the same run.
#' @param value Whether to return the results themselves, see [rc_value()], in place of a handle: what a pipeline tool
#'   such as targets keeps.
#' @param progress Whether to show how far the run is: by progressr where a handler is set, else by cli, else by lines.
#' @return A handle of class `replicast_run`, whose print shows the summary. Failed replications give a warning, and a
#'   precision that was not reached does. A wrong request is an error of class `replicast_exit_2`, an executor or store
#'   that failed one of class `replicast_exit_3`.
#' @seealso [rc_metrics()] and its neighbours for results, [rc_resume()] for more replications.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' queue <- function(rate = 0.9, customers = 1000) {
#'   gaps <- rexp(customers, rate) - rexp(customers)
#'   wait <- Reduce(function(wait, gap) max(0, wait - gap), gaps, accumulate = TRUE)
#'   list(wait = mean(wait))
#' }
#' run <- rc_run(queue, n = 20, seed = 42, grid = list(rate = c(0.5, 0.9)), store = tempfile())
#' run
#' rc_summary(run)
#' rc_compare(run)
#' @export
rc_run <- function(model, n = 10, seed = NULL, params = list(), scenarios = list(), grid = list(), on = "local", ...,
                   store = default_store(), name = NULL, value = FALSE, progress = interactive()) {
  project <- tempfile("replicast-")
  on.exit(unlink(project, recursive = TRUE))
  dir.create(file.path(project, "request"), recursive = TRUE)
  file <- if (is.function(model)) write_function_model(model, file.path(project, "model")) else model_file(model)
  experiment <- file.path(project, "request", "experiment.toml")  # apart, so that the model's project is its own
  writeLines(enc2utf8(toml_document(experiment_of(file, params, scenarios, grid))), experiment, useBytes = TRUE)
  name <- if (is.null(name)) new_id() else name
  run <- structure(list(id = name, store = whole_store(store)), class = "replicast_run")
  options <- c(list(seed = whole(seed, "seed", optional = TRUE), on = on, store = run$store), list(...))
  carry_out(c("run", "--experiment", experiment, "--name", name, "-n", whole(n, "n"), options_as_arguments(options)), run, progress)
  if (value) rc_value(run) else run
}

#' Go on with a run
#'
#' Computes what is missing of a run, or more of it. What is stored is not computed again.
#'
#' @param run A run, as [rc_run()] or [rc_open()] gives it.
#' @param n Number of replications of each scenario in all; as many as planned where it is not given.
#' @param ... Further options of `replicast resume`, such as `retry_failed = TRUE`.
#' @inheritParams rc_run
#' @return The run.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' die <- function(sides = 6L) list(value = sample.int(sides, 1L), rolls = data.frame(roll = 1:2))
#' run <- rc_run(die, n = 20, seed = 42, store = tempfile())
#' rc_resume(run, n = 30)
#' @export
rc_resume <- function(run, n = NULL, ..., progress = interactive()) {
  run <- as_run(run)
  options <- c(list(store = run$store), list(...))
  carry_out(c("resume", run$id, if (!is.null(n)) c("-n", whole(n, "n")), options_as_arguments(options)), run, progress)
  run
}

#' Runs of a store
#'
#' @param id A run's ID, a unique beginning of one, or `"latest"`.
#' @param store Where runs live: a folder, or the URL of a bucket or database.
#' @return `rc_open()` gives a handle as [rc_run()] does; `rc_runs()` a data frame with a row a run: `id`, `state`,
#'   `planned`, `done`, `failed`, `created`, `model`, `scenarios`, `seed`; `rc_status()` the same for one run.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' store <- tempfile()
#' run <- rc_run(function() runif(1), n = 5, store = store)
#' rc_runs(store)
#' rc_status(rc_open("latest", store))
#' @export
rc_open <- function(id = "latest", store = default_store()) {
  store <- whole_store(store)
  found <- ask_json(c("status", id, "--store", store))
  structure(list(id = found$id, store = store), class = "replicast_run")
}

STATUS <- list(
  id = "", state = "", planned = 0L, done = 0L, failed = 0L, created = "", model = "", scenarios = 0L, seed = 0
)

#' @rdname rc_open
#' @export
rc_runs <- function(store = default_store()) frame_of(ask_json(c("list", "--store", whole_store(store))), STATUS)

#' @rdname rc_open
#' @param run A run.
#' @export
rc_status <- function(run) frame_of(list(ask_json(c("status", about(run)))), STATUS)

carry_out <- function(arguments, run, progress) {
  watch <- if (progress) watcher() else function(line) NULL
  how <- sprintf("go on with: rc_resume(rc_open(\"%s\", store = \"%s\"))", run$id, run$store)
  answer <- call_program(arguments, watch, function() message("interrupted; what was simulated is stored; ", how))
  if (answer$status == EXIT$interrupted) message("interrupted; ", how)
  else if (answer$status %in% c(EXIT$failed, EXIT$imprecise)) warning(told(answer, run), call. = FALSE)
  else if (answer$status != EXIT$done) stop_with(answer, arguments[[1L]])
  notes <- grep("^note: ", answer$messages, value = TRUE)
  for (note in notes) message(note)
}

told <- function(answer, run) {
  lines <- answer$messages[!grepl("^(note: |run |  |not checked: )|^[0-9,]+ (of [0-9,]+|replications in)", answer$messages)]
  paste(in_words_of_r(trimws(lines[nzchar(lines)], "right"), run), collapse = "\n")
}

# What the program says to type, as what is typed in R.
in_words_of_r <- function(lines, run) {
  handle <- sprintf("rc_open(%s, %s)", deparse(run$id), deparse(run$store))
  again <- regmatches(lines, regexec("^again, here: replicast replay \\S+ ([0-9]+)( --scenario (\\S+|'[^']*'))?", lines))
  for (i in which(lengths(again) > 0L)) {
    scenario <- gsub("^'|'$", "", again[[i]][[4L]])
    named <- if (nzchar(scenario)) paste0(", scenario = ", deparse(scenario))
    lines[[i]] <- paste0("again, here: rc_debug(", handle, ", ", again[[i]][[2L]], named, ")")
  }
  sub("^all failures: replicast failures .*", paste0("all failures: rc_failures(", handle, ")"), lines)
}

experiment_of <- function(file, params, scenarios, grid) {
  check_named(params, "params")
  check_named(scenarios, "scenarios")
  check_named(grid, "grid")
  for (name in names(scenarios)) check_named(as.list(scenarios[[name]]), paste0("scenarios$", name))
  given <- list(model = file)
  if (length(params)) given$parameters <- as.list(params)
  if (length(scenarios)) given$scenarios <- lapply(scenarios, as_toml_table)
  if (length(grid)) given$grid <- lapply(grid, function(values) if (is.list(values)) values else I(values))
  given
}

as_toml_table <- function(values) if (length(values)) as.list(values) else structure(list(), names = character())

check_named <- function(values, what) {
  if (length(values) && !is_named(values)) stop(what, " takes a named list, and not every element has a name", call. = FALSE)
}

model_file <- function(model) {
  if (!is.character(model) || length(model) != 1L) {
    stop("model takes the path of a file or a function, not ", class(model)[[1L]], call. = FALSE)
  }
  file <- sub("(\\.[A-Za-z]+):([^/]*)$", "\\1", model)
  if (!file.exists(file)) stop("there is no file '", file, "'", call. = FALSE)
  paste0(normalizePath(file), substring(model, nchar(file) + 1L))
}

# c("--workers", "4"); TRUE gives the option alone, FALSE and NULL nothing.
options_as_arguments <- function(options) {
  if (length(options) && !is_named(options)) stop("every further option needs a name, as in workers = 4", call. = FALSE)
  unlist(Map(option_as_arguments, names(options), options), use.names = FALSE)
}

option_as_arguments <- function(name, value) {
  option <- paste0("--", gsub("_", "-", name, fixed = TRUE))
  if (is.null(value) || identical(value, FALSE)) return(character())
  if (isTRUE(value)) return(option)
  text <- if (is.numeric(value)) format(value, digits = 15L, scientific = FALSE, trim = TRUE) else as.character(value)
  c(rbind(option, text))
}

whole <- function(value, what, optional = FALSE) {
  if (is.null(value) && optional) return(NULL)
  if (!is.numeric(value) || length(value) != 1L || is.na(value) || value != round(value)) {
    stop(what, " takes a whole number, and ", deparse(value, nlines = 1L), " is none", call. = FALSE)
  }
  format(value, scientific = FALSE, trim = TRUE)
}

default_store <- function() Sys.getenv("REPLICAST_STORE", "runs")

# The store as a name that holds in any working directory.
whole_store <- function(store) {
  if (grepl("://", store, fixed = TRUE)) return(store)
  file.path(normalizePath(dirname(path.expand(store)), mustWork = FALSE), basename(store))
}

LETTERS_OF_IDS <- strsplit("23456789abcdefghijkmnpqrstuvwxyz", "")[[1L]]

# As the program makes them; the session's random numbers are left as they are.
new_id <- function() {
  bytes <- strtoi(strsplit(basename(tempfile("")), "")[[1L]], 36L)
  letters <- LETTERS_OF_IDS[utils::tail(bytes[!is.na(bytes)], 6L) %% length(LETTERS_OF_IDS) + 1L]
  paste0(format(Sys.time(), "%Y%m%dT%H%M%S", tz = "UTC"), "-", paste(letters, collapse = ""))
}

as_run <- function(run) {
  if (inherits(run, "replicast_run")) return(run)
  if (is.character(run) && length(run) == 1L) return(rc_open(run))
  stop("run takes what rc_run() or rc_open() gives, or a run's ID", call. = FALSE)
}

about <- function(run) {
  run <- as_run(run)
  c(run$id, "--store", run$store)
}

#' @export
format.replicast_run <- function(x, ...) paste0("<replicast run ", x$id, " in ", x$store, ">")

#' @export
print.replicast_run <- function(x, ..., digits = 4L) {
  status <- rc_status(x)
  cat(format(x), "\n", sep = "")
  cat(status$model, ": ", status$done, " of ", status$planned, " replications (", status$state, ")",
      if (status$failed) paste0(", ", status$failed, " failed"), ", seed ", format(status$seed, scientific = FALSE), "\n",
      sep = "")
  if (status$done > status$failed) print_summary(rc_summary(x), digits)
  invisible(x)
}

print_summary <- function(summary, digits) {
  shown <- c("scenario", "metric", "n", "mean", "ci_lower", "ci_upper", "sd", "failed")
  if (!any(summary$failed > 0)) shown <- setdiff(shown, "failed")
  if (length(unique(summary$scenario)) == 1L) shown <- setdiff(shown, "scenario")
  print(as.data.frame(summary)[shown], digits = digits, row.names = FALSE)
}

#' @export
summary.replicast_run <- function(object, ...) rc_summary(object, ...)

# Progress --------------------------------------------------------------------------------------------------------

PROGRESS <- "([0-9,]+) of ([0-9,]+)"

# A function of a line of messages, which shows how far the run is.
watcher <- function() {
  if (requireNamespace("progressr", quietly = TRUE) && length(progressr::handlers(global = NA)) &&
        isTRUE(progressr::handlers(global = NA))) return(by_progressr())
  if (requireNamespace("cli", quietly = TRUE)) return(by_cli())
  function(line) if (grepl(paste0("^", PROGRESS), line)) message(line)
}

progress_of <- function(line) {
  found <- regmatches(line, regexec(PROGRESS, line))[[1L]]
  if (length(found) < 3L || !startsWith(line, found[[1L]])) return(NULL)
  as.numeric(gsub(",", "", found[2:3], fixed = TRUE))
}

by_cli <- function() {
  bar <- NULL
  home <- parent.frame(2L)
  function(line) {
    now <- progress_of(line)
    if (is.null(now)) return(invisible())
    if (is.null(bar)) bar <<- cli::cli_progress_bar("replications", total = now[[2L]], .envir = home)
    cli::cli_progress_update(set = now[[1L]], total = now[[2L]], id = bar, .envir = home)
  }
}

by_progressr <- function() {
  step <- NULL
  done <- 0
  function(line) {
    now <- progress_of(line)
    if (is.null(now)) return(invisible())
    if (is.null(step)) step <<- progressr::progressor(steps = now[[2L]], on_exit = FALSE)
    step(line, amount = now[[1L]] - done)
    done <<- now[[1L]]
  }
}
