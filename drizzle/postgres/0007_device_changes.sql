CREATE TABLE "device_changes" (
	"device_id" text PRIMARY KEY NOT NULL,
	"project_id" text,
	"number" bigint NOT NULL,
	"is_online" boolean NOT NULL
);
--> statement-breakpoint
CREATE INDEX "device_changes_number" ON "device_changes" USING btree ("number");