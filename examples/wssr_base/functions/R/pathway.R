# The pathway: emergency department -> ward -> home or a community bed, in base R.
# A patient keeps the bay or bed until the next one is free, so a full community blocks the ward, and the ward the ED.

read_parameters <- function(file) {
  sheet <- read.csv(file, stringsAsFactors = FALSE)
  as.list(setNames(sheet$value, sheet$parameter))
}

# A row for each patient: when they arrived, when they entered and left each place (days), NA where they never did.
pathway <- function(p) {
  end <- p$warm_up_days + p$run_days
  stays <- draw_patients(p, end)
  n <- nrow(stays)
  places <- c(ed = p$ed_bays, ward = p$ward_beds, community = p$community_beds)

  free <- places
  queue <- list(ed = integer(), ward = integer(), community = integer())
  entered <- left <- matrix(NA_real_, n, 3, dimnames = list(NULL, names(places)))
  at <- rep("door", n)
  due <- stays$arrival # when the patient's next event happens; Inf while queueing and after leaving

  seize <- function(place, i) {
    due[i] <<- Inf
    if (free[[place]] > 0) {
      free[[place]] <<- free[[place]] - 1
      enter(place, i)
    } else {
      queue[[place]] <<- c(queue[[place]], i)
    }
  }

  enter <- function(place, i) {
    if (at[i] != "door") release(at[i], i)
    at[i] <<- place
    entered[i, place] <<- now
    due[i] <<- now + stays[[place]][i]
  }

  release <- function(place, i) {
    left[i, place] <<- now
    waiting <- queue[[place]]
    if (length(waiting) > 0) {
      queue[[place]] <<- waiting[-1]
      enter(place, waiting[1])
    } else {
      free[[place]] <<- free[[place]] + 1
    }
  }

  leave <- function(i) {
    due[i] <<- Inf
    release(at[i], i)
  }

  repeat {
    i <- which.min(due)
    now <- due[i]
    if (now > end) break
    onward <- switch(at[i], door = "ed", ed = "ward", ward = "community", community = "home")
    if (onward != "home" && !is.na(stays[[onward]][i])) seize(onward, i) else leave(i)
  }
  data.frame(
    patient = seq_len(n), arrival = stays$arrival,
    ed_from = entered[, "ed"], ed_to = left[, "ed"],
    ward_ready = ifelse(is.na(stays$ward), NA, entered[, "ed"] + stays$ed),
    ward_from = entered[, "ward"], ward_to = left[, "ward"],
    community_ready = ifelse(is.na(stays$community), NA, entered[, "ward"] + stays$ward),
    community_from = entered[, "community"], community_to = left[, "community"]
  )
}

# Each patient's arrival and the days that they need at each place, NA for a place that they do not need.
draw_patients <- function(p, end) {
  arrival <- cumsum(rexp(ceiling(end * p$arrivals_per_day * 1.2) + 100, p$arrivals_per_day))
  arrival <- arrival[arrival < end]
  n <- length(arrival)
  gamma_times <- function(mean, shape = 2) rgamma(n, shape, shape / mean)
  ed <- gamma_times(p$ed_hours / 24)
  ward <- ifelse(runif(n) < p$admitted_share, gamma_times(p$ward_days), NA)
  community <- ifelse(!is.na(ward) & runif(n) < p$community_share, gamma_times(p$community_days), NA)
  data.frame(arrival, ed, ward, community)
}
