ALTER TABLE "events" DROP CONSTRAINT "events_type";--> statement-breakpoint
ALTER TABLE "job_labels" ADD COLUMN "project_id" text DEFAULT '' NOT NULL;--> statement-breakpoint
UPDATE "job_labels" SET "project_id" = "jobs"."project_id" FROM "jobs" WHERE "jobs"."id" = "job_labels"."job_id";--> statement-breakpoint
CREATE INDEX "events_deleted" ON "events" USING btree ("at") WHERE "events"."type" = 'JOB_DELETED';--> statement-breakpoint
CREATE INDEX "job_labels_key" ON "job_labels" USING btree ("key","job_id");--> statement-breakpoint
CREATE INDEX "job_labels_project" ON "job_labels" USING btree ("project_id","key","value");--> statement-breakpoint
CREATE INDEX "jobs_owner" ON "jobs" USING btree ("owner","id");--> statement-breakpoint
CREATE INDEX "jobs_device" ON "jobs" USING btree ("device_id","id") WHERE "jobs"."device_id" is not null;--> statement-breakpoint
CREATE INDEX "jobs_started" ON "jobs" USING btree ("started_at","id") WHERE "jobs"."started_at" is not null;--> statement-breakpoint
CREATE INDEX "jobs_finished" ON "jobs" USING btree ("finished_at","id") WHERE "jobs"."finished_at" is not null;--> statement-breakpoint
CREATE INDEX "jobs_duration" ON "jobs" USING btree (("finished_at" - "started_at"),"id") WHERE "jobs"."finished_at" - "jobs"."started_at" is not null;--> statement-breakpoint
CREATE INDEX "latest_metrics_value" ON "latest_metrics" USING btree ("name","value","job_id");--> statement-breakpoint
CREATE INDEX "latest_metrics_name" ON "latest_metrics" USING btree ("name","job_id");--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_type" CHECK ("events"."type" in ('JOB_CREATED', 'JOB_STATUS_CHANGED', 'STEPS_ADDED', 'STEP_STATUS_CHANGED', 'FRAGMENT_READY', 'JOB_UPDATED', 'ROUND_CHANGED', 'JOB_DELETED'));