# The shape of what a quick model returns: bare numbers in the same places time after time, which need no reading.

# What results are like whose metrics are those of the layout. No value is stored as "", so that none fits at first.
shape <- list(stored = "", length = 0L, attributes = NULL, elements = NULL)
no_shape <- shape

# Whether a value has the shape: numbers without a class, alone, named, or in a named list.
fits <- written_out(function(value) {
  if (is.object(value) || stored_as(value) != shape$stored || length(value) != shape$length) return(FALSE)
  if (!same(attributes(value), shape$attributes)) return(FALSE)
  if (is.null(shape$elements)) return(TRUE)
  place <- 0L
  for (element in value) {
    place <- place + 1L
    if (is.object(element) || length(element) != 1L || stored_as(element) != shape$elements[[place]]) return(FALSE)
  }
  TRUE
})

# The numbers of a value that fits, as a copy: compiled code may change what it returned when it is called again.
numbers_of <- in_place(function(value) if (is.list(value)) joined(value) else c(value))

# Takes the shape of a value that was read, where it has one.
learn_shape <- function(value) {
  if (is.object(value) || length(tables_found)) return()
  alone <- is.atomic(value) && length(value) == 1L && is.null(attributes(value))
  named <- identical(names(value), names_found) && identical(names(attributes(value)), "names")
  kinds <- if (alone) plain_kind(value) else if (named) plain_kinds(value) else NA_real_
  if (!identical(kinds, kinds_found)) return()
  shape <<- list(
    stored = typeof(value), length = length(value), attributes = attributes(value),
    elements = if (is.list(value)) vapply(value, typeof, "", USE.NAMES = FALSE)
  )
}
