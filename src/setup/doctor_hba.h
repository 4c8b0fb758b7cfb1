/* What is wrong with a pg_hba.conf that is not as `rgrid db expose` leaves it. */
#pragma once

#include "setup/db_exposure.h"
#include "setup/doctor.h"
#include "setup/pg_debian.h"

/* *ret names the first rule that lets somebody in who is neither on this machine nor a worker by
 * the exposure's ranges, TLS and SCRAM; if none does, that our block is not there. */
void doctor_hba_fault(const struct pg_debian *cluster, const struct db_exposure *exposure,
		      struct finding *ret);
