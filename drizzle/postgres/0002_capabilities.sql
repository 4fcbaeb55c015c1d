ALTER TABLE "devices" ADD COLUMN "capabilities" json;--> statement-breakpoint
ALTER TABLE "queues" ADD COLUMN "need" json;