# Answers. They are collected and then written at once: a write costs more than a quick model, and what cannot be
# written to its end must not be begun.

OUTCOME <- 1
FAILED <- 2
LAYOUT <- 3
LOADED <- 4
REFUSED <- 5
COLLATED <- 6
BLOCK <- 7
NOTED <- 8

waiting <- list()
only_numbers <- TRUE

put <- function(numbers) waiting[[length(waiting) + 1L]] <<- numbers

# A vector that keeps its own type on the way.
put_vector <- function(values) {
  only_numbers <<- FALSE
  waiting[[length(waiting) + 1L]] <<- values
}

# Texts go as their bytes, each closed by a zero, after their number of bytes and their count.
put_texts <- function(texts) {
  bytes <- writeBin(enc2utf8(texts), raw())
  put(as.double(c(length(bytes), length(texts))))
  put_vector(bytes)
}

send <- function() {
  if (!length(waiting)) return()
  if (only_numbers) writeBin(unlist(waiting, use.names = FALSE), answers)
  else for (one in waiting) writeBin(one, answers)
  flush(answers)
  waiting <<- list()
  only_numbers <<- TRUE
}
