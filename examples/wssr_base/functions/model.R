# The whole-system simulation as two functions: `simulate` is one iteration, `collate` makes one results table of all.
# A number that is not given stands in the parameter sheet.

source("R/pathway.R")
source("R/process-output.R")

sheet <- read_parameters("inputs/parameters.csv")

simulate <- function(arrivals_per_day = sheet$arrivals_per_day, ward_beds = sheet$ward_beds,
                     community_beds = sheet$community_beds) {
  p <- modifyList(sheet, as.list(environment()))
  patients <- pathway(p)
  c(list(patients = patients), measures(patients, p))
}

# `tables$patients` holds the rows of every replication, with the columns `scenario` and `replication`.
collate <- function(tables) {
  by_scenario <- split(tables$patients, factor(tables$patients$scenario, unique(tables$patients$scenario)))
  results <- lapply(names(by_scenario), function(name) cbind(scenario = name, process_output(by_scenario[[name]], sheet)))
  list(wssr_results = do.call(rbind, results))
}
