# Replications, one after the other, of one scenario.

call <- NULL
current <- last <- 0L
streams <- seeds <- NULL
place_of_replication <- 0L
place_of_antithetic <- 0L
antithetic <- FALSE
places_of_seed <- integer()
has_own_arguments <- FALSE
keep_prefix <- NULL
scenario_name <- ""
layout_names <- NULL
layout_kinds <- NULL
started <- sent_at <- 0
log_told <- -1
mark <- NULL
SEND_EVERY_SECONDS <- 0.02

# The call that a user would type: `simulate(beds = 12L, replication = 1L)`.
take_scenario <- function(request) {
  arguments <- names(formals(args(model$value)))
  given <- like_defaults(request$parameters, model$value)
  passed <- if ("..." %in% arguments) given else given[names(given) %in% arguments]
  if ("params" %in% arguments) passed["params"] <- list(given)
  if ("replication" %in% arguments) passed$replication <- 0L
  if ("seed" %in% arguments) passed$seed <- 0L
  if ("seed32" %in% arguments) passed$seed32 <- 0L
  if ("antithetic" %in% arguments) passed$antithetic <- FALSE
  call <<- as.call(c(list(model$name), passed))
  place_of_replication <<- match("replication", names(call), 0L)
  places_of_seed <<- which(names(call) %in% c("seed", "seed32"))
  place_of_antithetic <<- match("antithetic", names(call), 0L)
  antithetic <<- isTRUE(request$antithetic)
  has_own_arguments <<- place_of_replication || length(places_of_seed) || place_of_antithetic
  keep_prefix <<- request$keep
  scenario_name <<- request$scenario
}

simulate_chunk <- function(from, to, given) {
  current <<- from - 1L
  last <<- to
  count <- to - from + 1L
  streams <<- if (model$seeded) readBin(requests, "integer", 7L * count)
  seeds <<- if (given) readBin(requests, "integer", count)
  first_of_chunk <<- from
  named_of <<- 0L
  sent_at <<- now()
  while (current < last) {
    failure <- attempt(perform_rest)
    if (is.null(failure)) next
    put_failure(failure)
    # After quit() the chunk ends: whoever asked may want this replication again before the next.
    if (failure[["kind"]] == "died") last <<- current
  }
  close_block()
  send()
}

first_of_chunk <- 1L

ONE_STATE <- 1:7

# The state in which the generators begin.
seed_of_current <- in_place(function() {
  if (is.null(streams)) then$seed else streams[7L * (current - first_of_chunk) + ONE_STATE]
})

# Simulates until the last replication or the first failure: one set of handlers serves many quick replications.
perform_rest <- written_out(function() {
  block <<- environment()
  global <- globalenv()
  room <- min(BLOCK_ROOM, last - current)
  seconds <- double(room)
  values <- states <- vector("list", room)
  opened <- filled <- 0L
  may_fit <- is.null(keep_prefix)
  depth <<- evaluated(quote(sys.nframe()), global)
  while (current < last) {
    current <<- current + 1L
    if (has_own_arguments) give_own_arguments()
    if (warning_count) forget_warnings()
    seed <- seed_of_current()
    if (!is.null(streams)) global[[".Random.seed"]] <- seed
    stage <<- SIMULATING
    started <<- now()
    value <- evaluated(call, global)
    ended <- now()
    stage <<- READING
    state <- global[[".Random.seed"]]
    drew <- !same(state, seed)
    if (named_of == current) {
      state <- with_named(state)
      drew <- TRUE
    }
    fitting <- may_fit && fits(value)
    if (!fitting) read_or_keep(value)
    if (!nothing_touched()) restore_state()
    flush_output()
    if (fitting && !warning_count && (!drew || is.integer(state)) && log_size() == log_told) {
      if (!filled) opened <- current
      place <- filled + 1L
      seconds[[place]] <- ended - started
      values[[place]] <- numbers_of(value)
      if (drew) states[[place]] <- state
      filled <- place
      if (filled == room || ended - sent_at > SEND_EVERY_SECONDS) send_block(ended)
    } else put_outcome(value, fitting, ended - started, drew, state)
  }
})

give_own_arguments <- function() {
  if (place_of_replication) call[[place_of_replication]] <<- current
  if (place_of_antithetic) call[[place_of_antithetic]] <<- is_mirrored()
  for (place in places_of_seed) call[[place]] <<- seeds[[current - first_of_chunk + 1L]]
}

# Replication 2i mirrors what 2i - 1 drew.
is_mirrored <- function() antithetic && current %% 2L == 0L

forget_warnings <- function() {
  warning_count <<- 0L
  warnings_found <<- character()
}

send_block <- function(time) {
  close_block()
  send()
  sent_at <<- time
}

# An outcome on its own: with tables or files, a log or warnings, or numbers of another shape than the last.
put_outcome <- function(value, fitting, seconds, drew, state) {
  close_block()
  put_notes()
  mark <<- length(waiting)
  if (fitting) fill_from(numbers_of(value))
  else if (!identical(names_found, layout_names) || !identical(kinds_found, layout_kinds)) put_layout()
  log_told <<- log_size()
  state <- if (drew) as_numbers(state)
  waiting[[length(waiting) + 1L]] <<- c(
    OUTCOME, current, seconds, log_told, warning_count, length(state), length(values_found), length(tables_found),
    !is.null(keep_prefix), values_found, state
  )
  if (warning_count) put_texts(warnings_found)
  for (name in names(tables_found)) put_table(name, tables_found[[name]])
  if (!is.null(keep_prefix)) put_texts(paste0(keep_prefix, current))
  else if (!fitting) learn_shape(value)
  mark <<- NULL
  send_now_and_then()
}

# A state of the generators on its way; 0 where the model left none.
as_numbers <- function(state) if (is.integer(state)) as.double(state) else 0

fill_from <- function(numbers) {
  names_found <<- layout_names
  kinds_found <<- layout_kinds
  values_found <<- as.double(numbers)
  tables_found <<- list()
}

# Numbers alone may wait a little. Else the pipe's buffer is left empty while the model runs, which may fork.
send_now_and_then <- function() {
  if (!only_numbers || now() - sent_at > SEND_EVERY_SECONDS) {
    send()
    sent_at <<- now()
  }
}

# What is kept whole need not also be metrics and tables.
read_or_keep <- function(value) {
  if (is.null(keep_prefix)) return(read_result(value))
  keep_result(value, paste0(keep_prefix, current))
  tryCatch(read_result(value), UnusableResult = function(e) read_nothing())
}

put_layout <- function() {
  singles <<- unique(c(singles, names_found))
  note_varying()
  put(c(LAYOUT, length(names_found), kinds_found))
  put_texts(names_found)
  layout_names <<- names_found
  layout_kinds <<- kinds_found
  shape <<- no_shape
}

# Forgets what a replication had put before it failed.
take_back <- function() {
  if (is.null(mark) || length(waiting) == mark) return()
  waiting <<- waiting[seq_len(mark)]
  layout_names <<- NULL
  shape <<- no_shape
}

put_failure <- function(failure) {
  seconds <- now() - started
  take_back()
  mark <<- NULL
  close_block()
  state <- globalenv()[[".Random.seed"]]
  state <- if (!identical(state, seed_of_current())) as_numbers(state)
  try(restore_state(), silent = TRUE)
  flush_output()
  log_told <<- log_size()
  put(c(FAILED, current, seconds, log_told, warning_count, length(state), 0, 0, 0, state))
  if (warning_count) put_texts(warnings_found)
  put_texts(failure)
  send_now_and_then()
}
