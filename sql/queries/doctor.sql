-- What `rgrid doctor` compares with what the provider has.

-- name: doctor_grid
-- The grid's id, which its servers carry as a label.
SELECT g.id FROM rg.grid g;

-- name: doctor_living_workers
SELECT w.id FROM rg.worker w WHERE w.state <= 3 ORDER BY w.id;
