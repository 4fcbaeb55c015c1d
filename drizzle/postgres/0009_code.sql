ALTER TABLE "api_keys" ADD COLUMN "joined" json;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "code" json;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "code_fragment_id" text;--> statement-breakpoint
ALTER TABLE "steps" ADD COLUMN "inputs" json;--> statement-breakpoint
CREATE INDEX "jobs_code" ON "jobs" USING btree ("code_fragment_id") WHERE "jobs"."code_fragment_id" is not null;