-- What operators and third parties look for.

-- Whether a program brought the schedule along, by its name: a worker then ticks it only if its own program
-- still has it. One that was made by hand (drills) is ticked by every worker.
ALTER TABLE schedules ADD COLUMN from_program boolean NOT NULL DEFAULT false;

-- What was handed to a third party, of whatever organisation; few records were.
CREATE INDEX records_by_accessor ON records (accessor_agent_id, id) WHERE accessor_agent_id IS NOT NULL;
CREATE INDEX agents_by_org ON agents (org_id, id);
