#' Results of a run
#'
#' All come as data frames (tibbles where tibble is installed) whose numbers are those that the model returned, bit for
#' bit, with R's own types: integers, logicals, dates, and times in their zone.
#'
#' @param run A run, as [rc_run()] or [rc_open()] gives it.
#' @param name A table's name; [rc_tables()] lists them.
#' @param confidence Of the intervals.
#' @param baseline The scenario that the others are compared with; the first where none is named.
#' @return
#' * `rc_metrics()`: a row per successful replication: `scenario`, `replication`, and a column per metric.
#' * `rc_table()`: the rows of a table that the model returned, of all successful replications, ordered by scenario and
#'   replication. A factor is one again where it had the same levels, at most 1,000, in all of them, and text elsewhere.
#'   `rc_tables()`: the names of all tables.
#' * `rc_summary()`: a row per scenario and metric: `scenario`, `metric`, `planned`, `n` (what the mean is of), `failed`,
#'   `non_finite`, `mean`, `sd`, `se`, `confidence`, `ci_lower`, `ci_upper`, `half_width`, `relative_half_width`, `min`,
#'   `q25`, `median`, `q75`, `max`. Fewer than two values give no interval.
#' * `rc_compare()`: a row per metric and scenario other than the baseline: the difference, its interval and a verdict.
#' * `rc_failures()`: a row per failed replication, with the model's own message and calls.
#' * `rc_warnings()`: a row per replication that warned: `scenario`, `replication`, `count`, and its first `warnings`.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' die <- function(sides = 6L) list(value = sample.int(sides, 1L), rolls = data.frame(roll = 1:2))
#' run <- rc_run(die, n = 20, seed = 42, store = tempfile())
#' rc_metrics(run)
#' rc_table(run, "rolls")
#' rc_summary(run, confidence = 0.99)
#' @export
rc_metrics <- function(run) rc_table(run, "metrics")

#' @rdname rc_metrics
#' @export
rc_table <- function(run, name) {
  if (!is.character(name) || length(name) != 1L || is.na(name)) {
    stop("name takes the name of one table; rc_tables() lists them", call. = FALSE)
  }
  as_frame(collated(run, name)[[1L]])
}

#' @rdname rc_metrics
#' @export
rc_tables <- function(run) {
  found <- names(ask_collation(run, character())$files)
  setdiff(found, "summary")
}

#' @rdname rc_metrics
#' @export
rc_summary <- function(run, confidence = 0.95) {
  answer <- ask_json(c("summary", about(run), "--confidence", format(checked_confidence(confidence), digits = 15L)))
  as_frame(frame_of(answer$summary, SUMMARY))
}

checked_confidence <- function(confidence) {
  if (!is.numeric(confidence) || length(confidence) != 1L || is.na(confidence) || confidence <= 0 || confidence >= 1) {
    stop("confidence takes a number between 0 and 1, and ", deparse(confidence, nlines = 1L), " is none", call. = FALSE)
  }
  confidence
}

SUMMARY <- list(
  scenario = "", metric = "", planned = 0L, n = 0L, failed = 0L, non_finite = 0L, mean = 0, sd = 0, se = 0,
  confidence = 0, ci_lower = 0, ci_upper = 0, half_width = 0, relative_half_width = 0, min = 0, q25 = 0, median = 0,
  q75 = 0, max = 0
)

#' @rdname rc_metrics
#' @export
rc_compare <- function(run, baseline = NULL, confidence = 0.95) {
  options <- options_as_arguments(list(baseline = baseline, confidence = checked_confidence(confidence)))
  as_frame(frame_of(ask_json(c("compare", about(run), options))$comparison, COMPARISON))
}

COMPARISON <- list(
  metric = "", scenario = "", baseline = "", method = "", n = 0L, n_scenario = 0L, n_baseline = 0L, mean_scenario = 0,
  mean_baseline = 0, difference = 0, se = 0, df = 0, confidence = 0, interval_confidence = 0, ci_lower = 0,
  ci_upper = 0, p_value = 0, adjusted_p_value = 0, correlation = 0, verdict = "", note = ""
)

#' @rdname rc_metrics
#' @export
rc_failures <- function(run) as_frame(frame_of(ask_json(c("failures", about(run))), list(scenario = "", replication = 0L)))

#' @rdname rc_metrics
#' @export
rc_warnings <- function(run) {
  as_frame(frame_of(ask_json(c("warnings", about(run))), list(scenario = "", replication = 0L, count = 0L, warnings = "")))
}

#' All results as one plain value
#'
#' For pipelines that keep values, such as targets: nothing in it refers to a store.
#'
#' @inheritParams rc_metrics
#' @return A list of class `replicast_value`: `id`, `seed`, `summary`, `metrics`, `tables` (a named list of data frames)
#'   and `failures`.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' die <- function(sides = 6L) list(value = sample.int(sides, 1L), rolls = data.frame(roll = 1:2))
#' run <- rc_run(die, n = 20, seed = 42, store = tempfile())
#' rc_value(run)$tables$rolls
#' @export
rc_value <- function(run) {
  all <- lapply(collated(run, character()), as_frame)
  own <- setdiff(names(all), c("metrics", "summary"))
  structure(class = "replicast_value", list(
    id = as_run(run)$id, seed = rc_status(run)$seed, summary = rc_summary(run), metrics = all$metrics,
    tables = all[own], failures = rc_failures(run)
  ))
}

#' @export
print.replicast_value <- function(x, ..., digits = 4L) {
  cat("<results of replicast run ", x$id, ">\n", sep = "")
  print_summary(x$summary, digits)
  if (length(x$tables)) cat("tables: ", paste(names(x$tables), collapse = ", "), "\n", sep = "")
  invisible(x)
}

#' What a model returned, whole
#'
#' @inheritParams rc_metrics
#' @param scenario A scenario's name; needed where there are several.
#' @return A list of what `simulate` returned in each successful replication, in their order, named by replication.
#'   The run must have been made with `keep = "rds"`.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' fit <- function() list(model = lm(dist ~ speed, cars[sample.int(50, 40), ]))
#' run <- rc_run(fit, n = 5, seed = 42, keep = "rds", store = tempfile())
#' sapply(rc_objects(run), function(one) coef(one$model))
#' @export
rc_objects <- function(run, scenario = NULL) {
  folder <- tempfile("replicast-")
  on.exit(unlink(folder, recursive = TRUE))
  options <- options_as_arguments(list(scenario = scenario, name = "result.rds"))
  found <- ask_json(c("artefacts", about(run), "-o", folder, options))
  if (!length(found)) stop("run ", as_run(run)$id, " has kept no objects; run it with keep = \"rds\"", call. = FALSE)
  scenarios <- unique(vapply(found, function(one) one$scenario, ""))
  if (length(scenarios) > 1L) {
    stop("there are several scenarios; name one of: ", paste(scenarios, collapse = ", "), call. = FALSE)
  }
  objects <- lapply(found, function(one) readRDS(one$file))
  names(objects) <- vapply(found, function(one) as.character(one$replication), "")
  objects
}

#' Write all tables of a run to a folder
#'
#' @inheritParams rc_metrics
#' @param folder Where to.
#' @param format `"csv"` or `"parquet"`.
#' @return The paths of the files, named by table, invisibly.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' die <- function(sides = 6L) list(value = sample.int(sides, 1L), rolls = data.frame(roll = 1:2))
#' run <- rc_run(die, n = 20, seed = 42, store = tempfile())
#' rc_collate(run, tempfile())
#' @export
rc_collate <- function(run, folder, format = "csv") {
  answer <- ask_json(c("collate", about(run), "-o", path.expand(folder), "--format", format))
  invisible(unlist(answer$files))
}

# The tables of those names, or all, as plain data frames.
collated <- function(run, names) {
  answer <- ask_collation(run, names)
  on.exit(unlink(answer$folder, recursive = TRUE))
  lapply(answer$files, read_columns)
}

ask_collation <- function(run, names) {
  folder <- tempfile("replicast-")
  wanted <- if (length(names)) c(rbind("--table", names))
  answer <- ask_json(c("collate", about(run), "-o", folder, "--format", "rcolumns", wanted))
  c(answer, list(folder = folder))
}

# Rows of an answer as a data frame with these columns first, of these types, then whatever else the rows have.
frame_of <- function(rows, columns) {
  others <- setdiff(unique(unlist(lapply(rows, names))), names(columns))
  for (name in others) if (!is_nested(rows, name)) columns[[name]] <- example_of(rows, name)
  cells <- lapply(names(columns), function(name) column_of(rows, name, columns[[name]]))
  names(cells) <- names(columns)
  structure(cells, class = "data.frame", row.names = .set_row_names(length(rows)))
}

is_nested <- function(rows, name) any(vapply(rows, function(row) is.list(row[[name]]), NA))

example_of <- function(rows, name) {
  for (row in rows) if (!is.null(row[[name]])) return(if (is.numeric(row[[name]])) 0 else row[[name]])
  NA
}

column_of <- function(rows, name, example) {
  vapply(rows, function(row) as_example(row[[name]], example), example[NA][1L], USE.NAMES = FALSE)
}

NOT_FINITE <- list(`NaN` = NaN, Infinity = Inf, `-Infinity` = -Inf)

# JSON has no NaN and no infinities: they come as texts.
as_example <- function(value, example) {
  if (is.null(value)) return(example[NA][1L])
  if (is.character(value) && is.numeric(example)) value <- NOT_FINITE[[value]]
  switch(typeof(example), integer = as.integer(value), double = as.double(value), logical = as.logical(value),
         as.character(value))
}
