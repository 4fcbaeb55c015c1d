CREATE INDEX "api_keys_project" ON "api_keys" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "api_keys_created_by" ON "api_keys" USING btree ("created_by");--> statement-breakpoint
CREATE INDEX "api_keys_admin" ON "api_keys" USING btree ("id") WHERE "api_keys"."role" = 'ADMIN';--> statement-breakpoint
CREATE INDEX "experiments_start_model" ON "experiments" USING btree ("start_model_id") WHERE "experiments"."start_model_id" is not null;--> statement-breakpoint
CREATE INDEX "model_versions_job" ON "model_versions" USING btree ("job_id") WHERE "model_versions"."job_id" is not null;--> statement-breakpoint
CREATE INDEX "queues_pinned" ON "queues" USING btree ("pinned_device_id") WHERE "queues"."pinned_device_id" is not null;--> statement-breakpoint
CREATE INDEX "steps_of_queue" ON "steps" USING btree ("queue_id");