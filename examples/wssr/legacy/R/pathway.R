# The pathway: emergency department -> ward -> home (by way of the discharge lounge or not) or a community bed.
# A patient keeps the bay or bed until the next one is free, so a full community blocks the ward, and the ward the ED.

library(simmer)

read_parameters <- function(file) {
  sheet <- read.csv(file, stringsAsFactors = FALSE)
  as.list(setNames(sheet$value, sheet$parameter))
}

gamma_time <- function(mean, shape = 2) rgamma(1, shape, shape / mean)

pathway <- function(p) {
  env <- simmer("wssr")
  hours <- 1 / 24

  home <- trajectory("home") %>%
    branch(function() (runif(1) < p$lounge_share) + 0L, continue = TRUE,
      trajectory("lounge") %>%
        seize("lounge") %>%
        release("ward") %>%
        timeout(function() gamma_time(p$lounge_hours * hours)) %>%
        release("lounge")) %>%
    branch(function() (get_seized(env, "ward") > 0) + 0L, continue = TRUE,
      trajectory("straight home") %>% release("ward"))

  community <- trajectory("community") %>%
    set_attribute("ready", function() now(env)) %>%
    seize("community") %>%
    release("ward") %>%
    set_attribute("delay_days", function() now(env) - get_attribute(env, "ready")) %>%
    timeout(function() gamma_time(p$community_days)) %>%
    release("community")

  ward <- trajectory("ward") %>%
    set_attribute("decided", function() now(env)) %>%
    seize("ward") %>%
    release("ed") %>%
    set_attribute("boarding_hours", function() (now(env) - get_attribute(env, "decided")) * 24) %>%
    set_attribute("ed_hours", function() (now(env) - get_attribute(env, "arrived")) * 24) %>%
    timeout(function() gamma_time(p$ward_days)) %>%
    branch(function() 1L + (runif(1) < p$community_share), continue = c(FALSE, FALSE), home, community)

  patient <- trajectory("patient") %>%
    set_attribute("arrived", function() now(env)) %>%
    seize("ed") %>%
    timeout(function() gamma_time(p$ed_hours * hours)) %>%
    branch(function() (runif(1) < p$admitted_share) + 0L, continue = FALSE, ward) %>%
    release("ed") %>%
    set_attribute("ed_hours", function() (now(env) - get_attribute(env, "arrived")) * 24)

  env %>%
    add_resource("ed", p$ed_bays) %>%
    add_resource("ward", p$ward_beds) %>%
    add_resource("lounge", p$lounge_chairs) %>%
    add_resource("community", p$community_beds) %>%
    add_generator("patient", patient, function() rexp(1, p$arrivals_per_day), mon = 2) %>%
    run(until = p$warm_up_days + p$run_days)
  env
}
