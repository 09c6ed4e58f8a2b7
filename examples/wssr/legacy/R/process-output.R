# From the monitors of all iterations to the results table: each measure's mean over the iterations, and the range that
# holds 95 % of them.

process_output <- function(attributes, resources, p) {
  start <- p$warm_up_days
  end <- p$warm_up_days + p$run_days
  by_iteration <- rbind(patient_measures(attributes[attributes$time >= start, ]), occupancy(resources, start, end))
  measures <- unique(by_iteration$measure)
  rows <- lapply(measures, function(measure) {
    values <- by_iteration$value[by_iteration$measure == measure]
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

patient_measures <- function(attributes) {
  value_of <- function(key) attributes$value[attributes$key == key]
  mean_of <- function(measure, key, f = identity) {
    chosen <- attributes[attributes$key == key, ]
    values <- tapply(f(chosen$value), chosen$replication, mean)
    data.frame(measure = measure, iteration = as.integer(names(values)), value = as.numeric(values))
  }
  rbind(
    mean_of("Hours in the emergency department", "ed_hours"),
    mean_of("Share within four hours", "ed_hours", function(hours) hours <= 4),
    mean_of("Hours waiting for a ward bed", "boarding_hours"),
    mean_of("Days waiting for a community bed", "delay_days")
  )
}

# Mean number in use, weighted by time: a row of the monitor holds from its time to the next row's.
occupancy <- function(resources, start, end) {
  rows <- lapply(split(resources, list(resources$replication, resources$resource), drop = TRUE), function(monitor) {
    from <- pmin(pmax(monitor$time, start), end)
    lasting <- diff(c(from, end))
    data.frame(
      measure = paste("Mean in use:", monitor$resource[1]),
      iteration = monitor$replication[1],
      value = sum(monitor$server * lasting) / (end - start)
    )
  })
  do.call(rbind, rows)
}
