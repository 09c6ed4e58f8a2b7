# What a model returned, as metrics (named numbers) and tables (data.frames by name).

REFUSED_TABLES <- c("metrics", "replications", "summary")
EXPECTED <- "; it must return a number, named numbers, a data.frame, or a named list of numbers and data.frames"

names_found <- character()
values_found <- double()
kinds_found <- double()
tables_found <- list()
texts_found <- skipped <- character()

# Fills the four variables above. Signals UnusableResult.
read_result <- function(value) {
  read_nothing()
  read_any(value)
  if (length(texts_found)) add_texts()
  if (!length(names_found) && !length(tables_found) && length(skipped)) unusable(skipped[[1L]])
  if (!length(names_found) && !length(tables_found)) unusable("the model returned ", description(value), EXPECTED)
}

plain_kind <- function(value) switch(typeof(value), double = DOUBLE, integer = INTEGER, logical = LOGICAL, NA_real_)

# The kinds of bare numbers, as most models return them, or NA where there is anything else.
plain_kinds <- function(value) {
  if (is.atomic(value)) return(rep(if (length(dim(value))) NA_real_ else plain_kind(value), length(value)))
  if (!is.list(value) || any(lengths(value) != 1L) || any(vapply(value, is.object, NA))) return(NA_real_)
  if (any(vapply(value, function(element) !is.null(dim(element)), NA))) return(NA_real_)
  vapply(value, plain_kind, 0, USE.NAMES = FALSE)
}

read_any <- function(value) {
  if (is_frame(value)) add_table("table", value)
  else if (is_simulation(value)) add_monitors(simulations_of(value))
  else if (is_number(value)) {
    note_unit("value", value)
    add_metrics("value", number_of(value), kind_of(value))
  }
  else if (is_numbers(value)) add_metrics(names(value), number_of(value), rep(kind_of(value), length(value)))
  else if (is_mapping(value)) add_elements(value)
  else unusable("the model returned ", description(value), EXPECTED)
}

read_nothing <- function() {
  names_found <<- character()
  values_found <<- kinds_found <<- double()
  tables_found <<- list()
  texts_found <<- skipped <<- character()
}

is_frame <- function(value) inherits(value, "data.frame")

# Whether a vector is of numbers, classes set aside: what has a class of its own may be anything.
is_numeric <- function(value) {
  if (is.object(value)) {
    if (has_slots(value)) return(FALSE)
    return(inherits(value, c(DURATIONS, "integer64")) || (is.numeric(value) && !is.factor(value)))
  }
  is.double(value) || is.integer(value) || is.logical(value)
}

SERIES <- c("ts", "zoo")

is_number <- function(value) is_single(value) && is.null(names(value))

# One number, whose own name, as of a quantile, does not count; what tapply() and table() name is a mapping, and a series
# is a table, however long.
is_single <- function(value) {
  length(value) == 1L && is_numeric(value) && is.null(dimnames(value)) && length(dim(value)) < 2L && !inherits(value, SERIES)
}

is_numbers <- function(value) {
  length(value) > 0L && is_numeric(value) && length(dim(value)) < 2L && is_named(value)
}

is_named <- function(value) {
  names <- names(value)
  !is.null(names) && !anyNA(names) && all(nzchar(names))
}

is_mapping <- function(value) is.list(value) && length(value) > 0L && is_named(value) && !is_frame(value)

number_of <- function(value) {
  if (!is.object(value)) return(as.double(value))
  if (inherits(value, "difftime")) return(as.double(value, units = "secs"))
  as.double(bare(value))
}

kind_of <- function(value) {
  if (is.object(value) && inherits(value, "integer64")) INTEGER64
  else if (is.double(value)) DOUBLE
  else if (is.logical(value)) LOGICAL
  else INTEGER
}

note_unit <- function(name, value) if (is_single(value) || is_numbers(value)) note_class(value, "'", name, "'")

add_metrics <- function(names, values, kinds) {
  kept <- !(names %in% OURS)
  for (name in names[!kept]) {
    note("the model's own metric '", name, "' is left out: results are known by a column of that name")
  }
  names <- enc2utf8(names[kept])
  twice <- names[names %in% names_found | duplicated(names)]
  if (length(twice)) unusable("two metrics are called '", twice[[1L]], "'")
  names_found <<- c(names_found, names)
  values_found <<- c(values_found, values[kept])
  kinds_found <<- c(kinds_found, kinds[kept])
}

add_elements <- function(mapping) {
  kinds <- plain_kinds(mapping)
  if (!anyNA(kinds)) return(add_metrics(names(mapping), as.double(unlist(mapping, use.names = FALSE)), kinds))
  simulations <- list()
  outer <<- inner_names(mapping)
  for (place in seq_along(mapping)) {
    element <- .subset2(mapping, place)
    if (is_simulation(element)) simulations <- c(simulations, simulations_called(names(mapping)[[place]], element))
    else add_element(names(mapping)[[place]], element)
  }
  if (length(simulations)) add_monitors(simulations)
}

# The names that metrics of a mapping would have, of which some would be there twice.
outer <- character()

inner_names <- function(mapping) {
  unlist(lapply(seq_along(mapping), function(place) {
    element <- .subset2(mapping, place)
    if (is_single(element)) names(mapping)[[place]] else if (holds_numbers(element)) names(element)
  }))
}

holds_numbers <- function(element) {
  is_numbers(element) || (is_mapping(element) && all(vapply(element, is_number, NA)))
}

add_element <- function(name, element) {
  if (is.null(element)) return(invisible())
  note_unit(name, element)
  if (is_single(element)) add_metrics(name, number_of(element), kind_of(element))
  else if (is_frame(element)) add_table(name, element)
  else if (holds_numbers(element)) add_numbers(name, element)
  else if (is_text(element)) texts_found[[name]] <<- written(element)
  else if (is_mapping(element) && all(vapply(element, is_single_or_text, NA))) add_mixed(name, element)
  else if (is_vector(element)) add_table(name, vector_frame(element))
  else if (is_matrix(element)) add_table(name, matrix_frame(element))
  else skip(name, element)
}

# A lone text, factor, date or time.
is_text <- function(element) {
  length(element) == 1L && length(dim(element)) < 2L &&
    (is.character(element) || is.factor(element) || inherits(element, c("Date", "POSIXt")))
}

# A time in its own zone with the offset from UTC, since as.character() leaves the zone out.
written <- function(element) {
  if (is.na(element)) return(NA_character_)
  if (!inherits(element, "POSIXt")) return(enc2utf8(as.character(unname(element))))
  parts <- as.double(as.POSIXct(element)) %% 1
  form <- if (parts == 0) "%Y-%m-%dT%H:%M:%S%z" else "%Y-%m-%dT%H:%M:%OS6%z"
  sub("([0-9]{2})$", ":\\1", format(element, form))
}

is_single_or_text <- function(element) is_single(element) || is_text(element)

add_mixed <- function(name, mapping) {
  texts <- vapply(mapping, is_text, NA)
  for (inner in names(mapping)[texts]) texts_found[[paste0(name, ".", inner)]] <<- written(mapping[[inner]])
  if (!all(texts)) add_numbers(name, mapping[!texts])
}

add_texts <- function() {
  name <- free_name("texts", names(tables_found))
  tables_found[[name]] <<- list(name = names(texts_found), text = unname(texts_found))
}

is_vector <- function(element) {
  ours <- is.factor(element) || (is.atomic(element) && !is.null(element))
  ours && length(dim(element)) < 2L && !is.na(kind_of_column(element)) || inherits(element, "POSIXlt")
}

# The values, beside what they are called by or the times of a series.
vector_frame <- function(element) {
  if (inherits(element, "POSIXlt")) element <- as.POSIXct(element)
  labels <- if (inherits(element, "ts")) list(time = as.double(stats::time(element)))
  else if (inherits(element, "zoo")) list(time = attr(element, "index"))
  else if (!is.null(names(element))) list(name = names(element))
  value <- if (inherits(element, SERIES)) bare(element) else unname(element)
  structure(c(labels, list(value = value)), class = "data.frame", row.names = .set_row_names(length(value)))
}

# The columns, beside the times of several series.
matrix_frame <- function(element) {
  frame <- as.data.frame(element, stringsAsFactors = FALSE)
  if (!inherits(element, "ts")) return(frame)
  times <- structure(list(as.double(stats::time(element))), names = free_name("time", names(frame)))
  structure(c(times, frame), class = "data.frame", row.names = .set_row_names(nrow(frame)))
}

is_matrix <- function(element) {
  length(dim(element)) == 2L && is.atomic(element) && !is.na(kind_of_column(c(unclass(element))))
}

# What is neither costs the replication nothing, if there is anything else; it is kept where the result is kept whole.
skip <- function(name, element) {
  came <- paste0("'", name, "' of what the model returned is ", description(element), ", not a number or a data.frame")
  skipped <<- c(skipped, came)
  cure <- if (is_mapping(element)) "name what is in it one level up, as in list(icu.wait = 1.5, icu.patients = data.frame(...)); "
  if (is.null(keep_prefix)) note(came, ": it is not kept; ", cure, "--keep rds keeps what is returned whole")
}

# Vectors with names that were spread out, and metrics that were found: a name in both was one named number at times.
spread_out <- singles <- character()

note_varying <- function() {
  for (name in intersect(spread_out, singles)) {
    note("'", name, "' is one named number in some replications, and the metric '", name, "' there, and several in others, ",
         "each a metric by its own name: give their names in a list to have them the same in all")
  }
}

# The numbers of an inner mapping, as outer.inner where another metric would have the same name.
add_numbers <- function(name, mapping) {
  if (is.atomic(mapping) && is.null(dim(mapping)) && !(name %in% spread_out)) {
    spread_out <<- c(spread_out, name)
    note_varying()
  }
  names <- names(mapping)
  twice <- names %in% outer[duplicated(outer)]
  names[twice] <- paste0(name, ".", names[twice])
  if (is.list(mapping)) add_metrics(names, vapply(mapping, number_of, 0), vapply(mapping, kind_of, 0))
  else add_metrics(names, number_of(mapping), rep(kind_of(mapping), length(mapping)))
}

add_table <- function(name, frame) {
  if (name %in% REFUSED_TABLES) {
    unusable("a table cannot be called '", name, "': replicast writes one of that name itself")
  }
  if (name %in% names(tables_found)) unusable("two tables are called '", name, "'")
  tables_found[[name]] <<- own_columns_of(frame, name)
}

is_environment_of_simmer <- function(value) inherits(value, c("simmer", "wrap")) && is.environment(value)

# A simmer environment, wrapped or not, or a list of them.
is_simulation <- function(value) {
  if (is.environment(value)) return(is_environment_of_simmer(value))
  is.list(value) && !is_frame(value) && length(value) > 0L && all(vapply(value, is_environment_of_simmer, NA))
}

simulations_of <- function(value) if (is.environment(value)) list(value) else unclass(value)

simulations_called <- function(name, element) {
  found <- simulations_of(element)
  inner <- if (is.null(names(found))) seq_along(found) else names(found)
  structure(found, names = if (is.environment(element)) name else paste0(name, ".", inner))
}

# simmer's three monitors, which number several environments in a column `replication`.
add_monitors <- function(simulations) {
  called <- names(simulations)
  simulations <- unname(simulations)
  add_monitor("arrivals", simmer::get_mon_arrivals(simulations), called, length(simulations))
  add_monitor("resources", simmer::get_mon_resources(simulations), called, length(simulations))
  add_monitor("attributes", simmer::get_mon_attributes(simulations), called, length(simulations))
}

add_monitor <- function(name, frame, called, count) {
  if (name %in% names(tables_found)) unusable("two tables are called '", name, "'; one is simmer's monitor")
  if (count > 1L && "replication" %in% names(frame)) {
    number <- frame$replication
    frame$replication <- NULL
    frame$replication_1 <- as.integer(number)
    if (!is.null(called)) frame$environment <- called[number]
    note("simmer's monitors are of ", count, " environments, whose numbers are kept as 'replication_1'",
         if (!is.null(called)) ", their names as 'environment'")
  }
  tables_found[[name]] <<- own_columns_of(frame, name)
}

# What came, for a message, with what to do about it where that is clear.
description <- function(value) {
  if (is.null(value)) return("NULL")
  if (is.function(value)) return("a function")
  if (is.character(value)) return(paste0("text (", toString(encodeString(first(value, 3L), quote = '"')), ")"))
  if (is_numeric(value)) return(description_of_numbers(value))
  if (is.list(value) && !is.object(value)) return(description_of_list(value))
  paste0("an object of class ", paste(class(value), collapse = "/"))
}

description_of_numbers <- function(value) {
  if (length(dim(value)) > 1L) return(paste0("a ", paste(dim(value), collapse = " x "), " matrix (make it a data.frame)"))
  paste0(length(value), " numbers without names (give them names, as in c(wait = 1.5))")
}

description_of_list <- function(value) {
  if (!length(value)) return("an empty list")
  if (!is_named(value)) return(paste0("a list of ", length(value), " without names for all (as in list(wait = 1.5))"))
  paste0("a list of ", paste(first(names(value), 5L), collapse = ", "))
}

first <- function(values, count) values[seq_len(min(count, length(values)))]
