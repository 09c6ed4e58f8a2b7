# Writing answers. Numbers wait in `waiting` until something has to be sent, since a writeBin costs more than a quick model.

waiting <- list()

put <- function(numbers) waiting[[length(waiting) + 1L]] <<- numbers

put_vector <- function(values) {
  send_waiting()
  writeBin(values, answers)
}

# Texts go as their bytes, each closed by a zero, after their number of bytes and their count.
put_texts <- function(texts) {
  bytes <- writeBin(enc2utf8(texts), raw())
  put(c(length(bytes), length(texts)))
  put_vector(bytes)
}

send_waiting <- function() {
  if (length(waiting)) {
    writeBin(as.double(unlist(waiting, use.names = FALSE)), answers)
    waiting <<- list()
  }
}

send <- function() {
  send_waiting()
  flush(answers)
}

OUTCOME <- 1
FAILED <- 2
LAYOUT <- 3
LOADED <- 4
REFUSED <- 5
COLLATED <- 6
