#' Look into one replication
#'
#' Loads the run's own copy of the model, sets the random number stream of the replication, and calls `simulate` with its
#' parameters under the browser: `n` steps, `c` runs to the end. The session's random numbers, working directory, time
#' zone, and what is in its global environment, are put back afterwards.
#'
#' @inheritParams rc_metrics
#' @param replication A number from 1; it need not be stored.
#' @param scenario A scenario's name; the first where none is named.
#' @param browse Whether to stop at the first line of `simulate`.
#' @return What the replication returns, invisibly.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' die <- function(sides = 6L) list(value = sample.int(sides, 1L), rolls = data.frame(roll = 1:2))
#' run <- rc_run(die, n = 20, seed = 42, store = tempfile())
#' rc_debug(run, 17)
#' @export
rc_debug <- function(run, replication, scenario = NULL, browse = interactive()) {
  file <- tempfile("replicast-", fileext = ".R")
  options <- options_as_arguments(list(scenario = scenario, snippet = file))
  source_folder <- sub("\\.R$", "-source", file)
  on.exit(unlink(c(file, source_folder), recursive = TRUE))
  answer <- ask_json(c("replay", as_run(run)$id, whole(replication, "replication"), "--store", as_run(run)$store, options))
  invisible(with_session_kept(run_snippet(file, answer$`function`, browse)))
}

run_snippet <- function(file, name, browse) {
  for (line in as.list(parse(file, encoding = "UTF-8"))) {
    called <- paste(deparse(line[[1L]]), collapse = "")
    if (called == "print") next
    if (called == "<-" && browse) debugonce(get(name, envir = globalenv()))
    eval(line, globalenv())
  }
  get("result", envir = globalenv())
}

# Models read and write the global environment, so that they are run there; what was in it is put back.
with_session_kept <- function(action) {
  global <- as.list.environment(globalenv(), all.names = TRUE)
  kinds <- RNGkind()
  folder <- getwd()
  zone <- Sys.getenv("TZ", NA)
  order <- Sys.getlocale("LC_COLLATE")
  on.exit({
    setwd(folder)
    if (is.na(zone)) Sys.unsetenv("TZ") else Sys.setenv(TZ = zone)
    Sys.setlocale("LC_COLLATE", order)
    RNGkind(kinds[[1L]], kinds[[2L]], kinds[[3L]])
    rm(list = ls(globalenv(), all.names = TRUE), envir = globalenv())
    list2env(global, globalenv())
  })
  force(action)
}
