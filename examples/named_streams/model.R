# The nurse and her patients of model.py, in R.
simulate <- function(pace = 1, patients = 60L, named = TRUE) {
  stream <- if (named) replicast_stream else function(name) identity
  arrivals <- stream("arrivals")
  care <- stream("care")
  rings <- stream("rings")
  free <- now <- waited <- 0
  for (i in seq_len(patients)) {
    now <- now + arrivals(rexp(1, 1))
    start <- max(now, free)
    waited <- waited + start - now
    if (start - now > 2) rings(runif(1))
    free <- start + care(rexp(1, 1 / 0.8)) / pace
  }
  list(wait = waited / patients)
}
