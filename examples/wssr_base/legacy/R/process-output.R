# From the patients of all iterations to the results table: each measure's mean over the iterations, and the range that
# holds 95 % of them.

process_output <- function(patients, p) {
  by_iteration <- lapply(split(patients, patients$replication), measures, p = p)
  names <- names(by_iteration[[1]])
  rows <- lapply(names, function(measure) {
    values <- vapply(by_iteration, function(found) found[[measure]], numeric(1), USE.NAMES = FALSE)
    data.frame(
      measure = measure,
      mean = mean(values),
      lower = quantile(values, 0.025, names = FALSE),
      upper = quantile(values, 0.975, names = FALSE),
      iterations = length(values)
    )
  })
  results <- do.call(rbind, rows)
  results[2:4] <- round(results[2:4], 4)
  results
}

measures <- function(patients, p) {
  start <- p$warm_up_days
  end <- p$warm_up_days + p$run_days
  since_start <- function(times) !is.na(times) & times >= start
  ed_hours <- with(patients, (ed_to - arrival)[since_start(ed_to)] * 24)
  list(
    "Hours in the emergency department" = mean(ed_hours),
    "Share within four hours" = mean(ed_hours <= 4),
    "Hours waiting for a ward bed" = mean(with(patients, ward_from - ward_ready)[since_start(patients$ward_from)]) * 24,
    "Days waiting for a community bed" =
      mean(with(patients, community_from - community_ready)[since_start(patients$community_from)]),
    "Mean in use: ed" = mean_in_use(patients$ed_from, patients$ed_to, start, end),
    "Mean in use: ward" = mean_in_use(patients$ward_from, patients$ward_to, start, end),
    "Mean in use: community" = mean_in_use(patients$community_from, patients$community_to, start, end)
  )
}

# Days spent there by all patients between start and end, over the days from start to end.
mean_in_use <- function(from, to, start, end) {
  here <- !is.na(from)
  days <- pmin(to[here], end, na.rm = TRUE) - pmax(from[here], start)
  sum(pmax(0, days)) / (end - start)
}
