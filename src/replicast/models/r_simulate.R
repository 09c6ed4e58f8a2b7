# Replications, one after the other, of one scenario.

call <- NULL
current <- last <- 0L
streams <- seeds <- NULL
place_of_replication <- place_of_seed <- 0L
keep_prefix <- NULL
layout_names <- NULL
layout_kinds <- NULL
started <- sent_at <- 0
mark <- 0L
SEND_EVERY_SECONDS <- 0.02

# The call that a user would type: `simulate(beds = 12L, replication = 1L)`.
take_scenario <- function(request) {
  arguments <- names(formals(args(model$value)))
  given <- request$parameters
  passed <- if ("..." %in% arguments) given else given[names(given) %in% arguments]
  if ("params" %in% arguments) passed["params"] <- list(given)
  if ("replication" %in% arguments) passed$replication <- 0L
  if ("seed" %in% arguments) passed$seed <- 0L
  call <<- as.call(c(list(model$name), passed))
  place_of_replication <<- match("replication", names(call), 0L)
  place_of_seed <<- match("seed", names(call), 0L)
  keep_prefix <<- request$keep
}

simulate_chunk <- function(from, to, given) {
  current <<- from - 1L
  last <<- to
  count <- to - from + 1L
  streams <<- if (model$seeded) matrix(readBin(requests, "integer", 7L * count), 7L)
  seeds <<- if (given) readBin(requests, "integer", count)
  first_of_chunk <<- from
  sent_at <<- now()
  while (current < last) {
    failure <- attempt(perform_rest)
    if (is.null(failure)) next
    put_failure(failure)
    # After quit() the chunk ends: whoever asked may want this replication again before the next.
    if (failure[["kind"]] == "died") last <<- current
  }
  send()
}

first_of_chunk <- 1L

# Simulates until the last replication or the first failure: one set of handlers serves many quick replications.
perform_rest <- function() {
  global <- globalenv()
  depth <<- sys.nframe() + 2L
  while (current < last) {
    current <<- current + 1L
    seed <- begin_replication(global)
    stage <<- SIMULATING
    started <<- now()
    value <- eval(call, global)
    seconds <- now() - started
    stage <<- READING
    state <- drawn(seed, global)
    end_replication(value, seconds, state)
  }
}

begin_replication <- function(global) {
  place <- current - first_of_chunk + 1L
  mark <<- length(waiting)
  if (place_of_replication) call[[place_of_replication]] <<- current
  if (place_of_seed) call[[place_of_seed]] <<- seeds[[place]]
  if (warning_count) {
    warning_count <<- 0L
    warnings_found <<- character()
  }
  if (is.null(streams)) return(then$seed)
  global[[".Random.seed"]] <- streams[, place]
}

# The final state of the generators, or nothing where the model drew from none.
drawn <- function(seed, global) {
  state <- global[[".Random.seed"]]
  if (identical(state, seed)) NULL
  else if (is.integer(state)) as.double(state)
  else 0
}

end_replication <- function(value, seconds, state) {
  if (is.null(keep_prefix)) read_result(value) else keep_and_read(value)
  restore_state()
  flush_output()
  if (!identical(names_found, layout_names) || !identical(kinds_found, layout_kinds)) put_layout()
  waiting[[length(waiting) + 1L]] <<- c(
    OUTCOME, current, seconds, log_size(), warning_count, length(state), length(values_found), length(tables_found),
    !is.null(keep_prefix), values_found, state
  )
  if (warning_count) put_texts(warnings_found)
  for (name in names(tables_found)) put_table(name, own_columns_of(tables_found[[name]], name))
  if (!is.null(keep_prefix)) put_texts(paste0(keep_prefix, current))
  send_now_and_then()
}

# Numbers alone may wait a little. Else the pipe's buffer is left empty while the model runs, which may fork.
send_now_and_then <- function() {
  if (!only_numbers || now() - sent_at > SEND_EVERY_SECONDS) {
    send()
    sent_at <<- now()
  }
}

# What is kept whole need not also be metrics and tables.
keep_and_read <- function(value) {
  keep_result(value, paste0(keep_prefix, current))
  tryCatch(read_result(value), UnusableResult = function(e) read_nothing())
}

put_layout <- function() {
  put(c(LAYOUT, length(names_found), kinds_found))
  put_texts(names_found)
  layout_names <<- names_found
  layout_kinds <<- kinds_found
}

# Forgets what a replication had put before it failed.
take_back <- function() {
  if (length(waiting) == mark) return()
  waiting <<- waiting[seq_len(mark)]
  layout_names <<- NULL
}

put_failure <- function(failure) {
  seconds <- now() - started
  take_back()
  state <- drawn(if (is.null(streams)) then$seed else streams[, current - first_of_chunk + 1L], globalenv())
  try(restore_state(), silent = TRUE)
  flush_output()
  put(c(FAILED, current, seconds, log_size(), warning_count, length(state), 0, 0, 0, state))
  if (warning_count) put_texts(warnings_found)
  put_texts(failure)
  send_now_and_then()
}
