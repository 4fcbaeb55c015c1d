CREATE INDEX "api_keys_not_of_jobs" ON "api_keys" USING btree ("id") WHERE "api_keys"."kind" <> 'JOB';--> statement-breakpoint
CREATE INDEX "jobs_type" ON "jobs" USING btree ("type","id") WHERE "jobs"."type" <> 'TRAINING';--> statement-breakpoint
CREATE INDEX "jobs_initiator" ON "jobs" USING btree ("initiator","id") WHERE "jobs"."initiator" <> 'MANUAL';